"""Follows events at a broker, plain and Sparkplug's: PORT. Prints how far each of them has come, as JSON, every hundred events.

It ends with 1, and says why, as soon as one is missing, comes twice, or overtakes another.
"""

import json
import os
import sys

import paho.mqtt.client as mqtt
from pysparkplug import _protobuf

at = {"plain": 0, "sparkplug": 0}
stores = set()
alias, number = None, None


def say(**line):
    print(json.dumps(line), flush=True)


def step(kind, seq):
    assert seq == at[kind] + 1, f"{kind}: event {seq} behind {at[kind]}"
    at[kind] = seq
    if seq % 100 == 0:
        say(type="told", kind=kind, seq=seq)


def plain(message):
    properties = dict(message.properties.UserProperty)
    stores.add(int(properties["store"]))
    event = json.loads(message.payload)
    assert str(event["seq"]) == properties["seq"], f"plain: {properties} of {event}"
    step("plain", event["seq"])


def sparkplug(message):
    global alias, number
    kind = message.topic.split("/")[2]
    payload = _protobuf.Payload.FromString(message.payload)
    if kind == "NBIRTH":
        alias, number = next(metric.alias for metric in payload.metrics if metric.name == "Event/Number"), 0
        return
    # Of a machine that answers there are devices too; they count on with its numbers.
    assert kind in ("NDATA", "DBIRTH", "DDATA", "DDEATH"), f"sparkplug: a {kind} nobody waits for"
    number = (number + 1) % 256
    assert payload.seq == number, f"sparkplug: message {payload.seq} behind {number - 1}"
    for metric in payload.metrics:
        if kind == "NDATA" and metric.alias == alias and not metric.is_null:
            step("sparkplug", metric.long_value)


def message(_client, _data, message):
    try:
        (sparkplug if message.topic.startswith("spBv1.0/") else plain)(message)
        assert len(stores) <= 1, f"plain: of several stores: {stores}"
    except Exception as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


client = mqtt.Client(client_id="follower", protocol=mqtt.MQTTv5)
client.on_message = message
client.on_connect = lambda *_: client.subscribe([("twinstep/+/event/#", 1), ("spBv1.0/#", 1)])
client.on_subscribe = lambda *_: say(type="subscribed")
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
