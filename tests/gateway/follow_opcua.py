"""Follows alarms over OPC UA, in the clear and without a name: URL SOURCES. Prints how far all SOURCES have come, as JSON.

Sources take turns, so that all of them are told up to event SEQ once each one was told of one of the last SOURCES events. An event before
the last one of its source ends it with 1. A line on standard input asks for all that is retained; the answer is a line too.
"""

import asyncio
import json
import os
import sys

from asyncua import Client, ua

URL, SOURCES = sys.argv[1], int(sys.argv[2])
last = {}
refreshed = asyncio.Queue()
between = None


def say(**line):
    print(json.dumps(line), flush=True)


class News:
    def event_notification(self, event):
        global between
        if event.EventType == ua.NodeId(ua.ObjectIds.RefreshStartEventType):
            between = {}
        elif event.EventType == ua.NodeId(ua.ObjectIds.RefreshEndEventType):
            refreshed.put_nowait(between)
            between = None
        elif event.EventNumber is not None:
            if between is not None:
                between[event.SourceName] = event.EventNumber
            if event.EventNumber < last.get(event.SourceName, 0):
                print(f"event {event.EventNumber} of {event.SourceName} behind {last}", file=sys.stderr, flush=True)
                os._exit(1)
            last[event.SourceName] = event.EventNumber
            if len(last) == SOURCES:
                say(type="told", kind="opcua", seq=min(last.values()) + SOURCES - 1)


async def main():
    async with Client(URL, timeout=60) as client:
        index = await client.get_namespace_index("urn:twinstep:gateway")
        paths = [(0, "EventType"), (0, "SourceName"), (index, "EventNumber")]
        fields = [
            ua.SimpleAttributeOperand(
                TypeDefinitionId=ua.NodeId(ua.ObjectIds.BaseEventType) if at == 0 else ua.NodeId("TwinDeviationAlarmType", index),
                BrowsePath=[ua.QualifiedName(name, at)],
                AttributeId=ua.AttributeIds.Value,
            )
            for at, name in paths
        ]
        subscription = await client.create_subscription(100, News())
        await subscription.subscribe_events(client.nodes.server, evfilter=ua.EventFilter(SelectClauses=fields), queuesize=256)
        say(type="subscribed")
        while await asyncio.to_thread(sys.stdin.readline):
            types = client.get_node(ua.ObjectIds.ConditionType)
            await types.call_method(ua.NodeId(3875), ua.Variant(subscription.subscription_id, ua.VariantType.UInt32))
            say(type="refreshed", conditions=await asyncio.wait_for(refreshed.get(), 60))


asyncio.run(main())
