"""An OPC UA client (asyncua) at the gateway: python opcua.py URL [crowd | PKI TWINSTEP SOCKET BOOK TUNER VIEWER DEMO ADMIN].

With the address alone it looks around in the clear, without a name; as a crowd it asks for more of everything than there is.

It is refused first, then trusted; it browses, reads, subscribes, lets a fault be injected, and acknowledges, comments, shelves and
refreshes the alarm, and ends the machine (process DEMO). What it saw goes to standard output as one JSON object.
"""

import asyncio
import datetime
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys

from asyncua import Client, ua
from asyncua.common.events import get_filter_from_event_type
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import (
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

URL = sys.argv[1]
CROWD = sys.argv[2:] == ["crowd"]
if len(sys.argv) > 3:
    PKI, TWINSTEP, SOCKET, BOOK, TUNER, VIEWER, DEMO, ADMIN = sys.argv[2:10]
PATIENCE = 40
seen = {}


class News:
    """What a subscription tells of."""

    def __init__(self):
        self.values = {}
        self.events = asyncio.Queue()
        self.ids = []

    def datachange_notification(self, node, value, data):
        self.values.setdefault(node.nodeid.Identifier, []).append(value)

    def event_notification(self, event):
        self.events.put_nowait(event)
        self.ids.append(event.EventId)

    async def event(self, wanted):
        """The next event that is wanted."""
        while True:
            event = await asyncio.wait_for(self.events.get(), PATIENCE)
            if wanted(event):
                return event


async def client(policy, name=None, token=None, key="client", called=None):
    place = pathlib.Path(os.getcwd())
    files = place / f"{key}.pem", place / f"{key}.der"
    uri = f"urn:twinstep:{key}"
    await setup_self_signed_certificate(
        *files, uri, "localhost", [ExtendedKeyUsageOID.CLIENT_AUTH], {"commonName": called or key}
    )
    made = Client(URL, timeout=PATIENCE)
    made.application_uri = uri
    if name:
        made.set_user(name)
        made.set_password(token)
    if policy:
        await made.set_security(policy, str(files[1]), str(files[0]))
    return made


async def refused(made):
    """Why a client is not let in; nothing where it is."""
    try:
        async with made:
            return None
    except (ua.UaError, asyncio.TimeoutError, ConnectionError) as error:
        return type(error).__name__


async def called(node, method, *arguments):
    """How a call ends."""
    try:
        await node.call_method(ua.NodeId(method), *arguments)
        return "Good"
    except ua.UaStatusCodeError as error:
        return type(error).__name__


async def unencrypted():
    """What becomes of somebody who talks in the clear, although no endpoint says that they may."""
    plain, told = Client(URL, timeout=PATIENCE), []
    await plain.connect_socket()
    await plain.send_hello()
    await plain.open_secure_channel()
    session = ua.CreateSessionParameters()
    session.ClientDescription.ApplicationUri = "urn:twinstep:plain"
    session.ClientNonce = bytes(32)
    session.EndpointUrl = URL
    session.SessionName = "plain"
    session.RequestedSessionTimeout = 60000
    activate = ua.ActivateSessionParameters()
    activate.UserIdentityToken = ua.AnonymousIdentityToken(PolicyId="anonymous")
    for step in (
        lambda: plain.uaclient.create_session(session),
        lambda: plain.uaclient.activate_session(activate),
        lambda: plain.get_node(ua.ObjectIds.Server_ServerStatus_State).read_value(),
    ):
        try:
            await step()
            told.append("Good")
        except (ua.UaError, asyncio.TimeoutError, ConnectionError) as error:
            told.append(type(error).__name__)
    plain.disconnect_socket()
    return told


async def at_the_door():
    endpoints = await Client(URL).connect_and_get_server_endpoints()
    seen["endpoints"] = sorted(
        [e.SecurityPolicyUri.split("#")[-1], e.SecurityMode.name, [t.TokenType.name for t in e.UserIdentityTokens]]
        for e in endpoints
    )
    seen["plain"] = await unencrypted()
    policy = SecurityPolicyBasic256Sha256
    seen["stranger"] = await refused(await client(policy, "eva", TUNER))
    strangers = list(pathlib.Path(PKI, "rejected").iterdir())
    seen["strangers"] = len(strangers)
    # Somebody whose name would do harm where a file is called so, or in a terminal; and what is no certificate.
    nasty = await client(policy, "eva", TUNER, "nasty", "x'; reboot; '\x1b[2J")
    seen["nasty"] = await refused(nasty)
    pathlib.Path(PKI, "rejected", "rubbish.der").write_text("x")
    for _ in range(10 * PATIENCE):
        seen["rejected"] = sorted(file.name for file in pathlib.Path(PKI, "rejected").iterdir())
        if len(seen["rejected"]) == 2 and all(len(name) == 44 for name in seen["rejected"]):
            break
        await asyncio.sleep(0.1)
    strangers = [file for file in pathlib.Path(PKI, "rejected").iterdir() if b"nasty" not in file.read_bytes()]
    # Under a name of the operator's own.
    strangers[0].rename(pathlib.Path(PKI, "trusted", "line seven.der"))
    for _ in range(PATIENCE):
        await asyncio.sleep(1)
        if any("[" in file.name for file in pathlib.Path(PKI, "trusted").iterdir()):
            break
    seen["wrong_token"] = await refused(await client(policy, "eva", "no token"))
    seen["wrong_name"] = await refused(await client(policy, "max", TUNER))
    seen["no_name"] = await refused(await client(policy))


async def names_of(node):
    return [await child.read_browse_name() for child in await node.get_children()]


async def browse(eva):
    machines = await eva.nodes.objects.get_child([f"{seen['index']}:Machines"])
    machine = (await machines.get_children())[0]
    # The press has nodes for its last stroke once it has made one.
    press = eva.get_node(ua.NodeId("Machine/Components/press", seen["index"]))
    for _ in range(10 * PATIENCE):
        if any(name.Name == "LastStroke" for name in await names_of(press)):
            break
        await asyncio.sleep(0.1)
    seen["machine"] = (await machine.read_browse_name()).Name
    for folder in ["Identification", "Components", "Monitoring", "Alarms"]:
        node = await machine.get_child([f"{seen['index']}:{folder}"])
        seen[folder] = sorted(name.Name for name in await names_of(node))
    at = lambda *path: machine.get_child([f"{seen['index']}:{name}" for name in path])
    lift = await at("Components", "lift")
    seen["lift"] = sorted(name.Name for name in await names_of(lift))
    position = await at("Components", "lift", "ActualPosition")
    stroke = await at("Components", "press", "LastStroke")
    at_stroke = lambda name: stroke.get_child([f"{seen['index']}:{name}"])
    seen["stroke"] = [await (await at_stroke(name)).read_value() for name in ["Verdict", "Number", "PeakForce"]]
    seen["position"] = await position.read_value()
    unit = await (await position.get_child(["0:EngineeringUnits"])).read_value()
    seen["unit"] = [unit.UnitId, unit.DisplayName.Text]
    seen["predict_p99"] = await (await at("Monitoring", "Phases", "predict", "P99")).read_value()
    try:
        await position.write_value(1.0)
        seen["written"] = True
    except ua.UaStatusCodeError as error:
        seen["written"] = type(error).__name__
    return machine, await at("Monitoring", "Cycle"), position


def inject(*words):
    subprocess.run([TWINSTEP, "inject", "--control", SOCKET, *words], check=True, stdout=subprocess.DEVNULL)


def flat(event):
    fields = event.get_event_props_as_fields_dict()
    return {name: str(variant.Value) for name, variant in fields.items()}


async def of_type(kind):
    """Everything of events of this type and those below it."""
    wanted = await get_filter_from_event_type([kind], False)
    operand = ua.LiteralOperand(Value=ua.Variant(kind.nodeid))
    wanted.WhereClause.Elements.append(
        ua.ContentFilterElement(FilterOperator=ua.FilterOperator.OfType, FilterOperands=[operand])
    )
    return wanted


async def limits(eva, news):
    """An alarm with a limit: what it says, beside what was stored."""
    inject("encoder_slip:lift:step=2mm")
    told = await news.event(lambda e: e.SourceName == "lift" and e.Channel == "velocity_next" and getattr(e, "ActiveState/Id"))
    seen["limits"] = {name: getattr(told, name) for name in ("HighLimit", "LowLimit", "Measured", "Predicted", "EventNumber")}
    seen["limit_state"] = getattr(told, "LimitState/CurrentState").Text
    seen["nodes"] = [told.InputNode.Identifier, told.SetpointNode.Identifier]
    seen["time_utc_ns"] = int(told.Time.replace(tzinfo=datetime.timezone.utc).timestamp() * 1e6) * 1000
    seen["quality"] = str(told.Quality.value if hasattr(told.Quality, "value") else told.Quality)
    # Units as UNECE has them, wherever there is one.
    seen["units"] = {}
    for path in ["Components/lift/ActualVelocity", "Components/lift/ActualCurrent", "Components/lift/Confidence"]:
        node = eva.get_node(ua.NodeId(f"Machine/{path}", seen["index"]))
        unit = await (await node.get_child(["0:EngineeringUnits"])).read_value()
        seen["units"][unit.DisplayName.Text] = unit.UnitId
    trouble = eva.get_node(ua.NodeId("Machine/Monitoring/Sinks/opcua/Failed", seen["index"]))
    seen["failed"] = await trouble.read_value()


async def end_of_the_machine(eva, news):
    """What stands when the machine has gone: known as it was."""
    os.kill(int(DEMO), signal.SIGINT)
    told = await news.event(lambda e: e.Quality.value == ua.StatusCodes.UncertainNoCommunicationLastUsableValue)
    seen["gone"] = told.Retain
    value = await eva.get_node(ua.NodeId("Machine/Monitoring/Cycle", seen["index"])).read_data_value(False)
    seen["gone_cycle"] = value.StatusCode.name


async def alarm(eva, max_, ada, machine):
    kind = eva.get_node(ua.NodeId("TwinDeviationAlarmType", seen["index"]))
    news, quiet = News(), News()
    subscription = await eva.create_subscription(100, news)
    # The library compares no NodeIds in a list, which is what this client would filter by.
    await subscription.subscribe_events(eva.nodes.server, [kind], queuesize=100, where_clause_generation=False)
    other = await eva.create_subscription(100, quiet)
    await other.subscribe_events(machine, evfilter=await of_type(kind), queuesize=100)
    await limits(eva, news)
    # It stops all axes, and the machine with them.
    inject("drive_fault:lift:code=0x2310")
    of_lift = lambda e: e.SourceName == "lift" and e.Channel == "drive_state"
    raised = await news.event(lambda e: of_lift(e) and getattr(e, "ActiveState/Id"))
    seen["raised"] = flat(raised)
    seen["empty"] = sorted(name for name, value in seen["raised"].items() if value in ("None", "nan"))
    seen["at_the_machine"] = flat(await quiet.event(of_lift))["ConditionName"]
    condition = eva.get_node(raised.NodeId)
    # A viewer may do nothing to it, an admin whatever a tuner may.
    an_hour = ua.Variant(3600000.0, ua.VariantType.Double)
    calls = [(9111, raised.EventId, ua.LocalizedText("mine")), (9029, raised.EventId, ua.LocalizedText("mine")), (2949, an_hour), (2948,), (2947,)]
    seen["by_the_viewer"] = [await called(max_.get_node(raised.NodeId), *call) for call in calls]
    seen["by_the_admin"] = await called(ada.get_node(raised.NodeId), 9029, raised.EventId, ua.LocalizedText("seen"))
    seen["with_a_wrong_event"] = await called(condition, 9111, b"nothing", ua.LocalizedText("?"))
    seen["comment"] = await called(condition, 9029, raised.EventId, ua.LocalizedText("on my way"))
    remarked = await news.event(lambda e: of_lift(e) and e.Comment.Text == "on my way")
    seen["remarked_by"] = remarked.ClientUserId
    seen["shelve_too_long"] = await called(condition, 2949, ua.Variant(1e13, ua.VariantType.Double))
    shelf = eva.get_node(ua.NodeId(f"{condition.nodeid.Identifier}/ShelvingState", seen["index"]))
    seen["shelve"] = await called(shelf, 2949, ua.Variant(600000.0, ua.VariantType.Double))
    shelved = await news.event(lambda e: of_lift(e) and e.SuppressedOrShelved)
    seen["shelved"] = getattr(shelved, "ShelvingState/CurrentState").Text
    seen["unshelve"] = await called(condition, 2947)
    await news.event(lambda e: of_lift(e) and not e.SuppressedOrShelved)
    seen["one_shot"] = await called(condition, 2948)
    shot = await news.event(lambda e: of_lift(e) and e.SuppressedOrShelved)
    seen["one_shot_state"] = getattr(shot, "ShelvingState/CurrentState").Text
    # What nobody can mean.
    seen["shelve_for_nothing"] = await called(condition, 2949, ua.Variant(float("nan"), ua.VariantType.Double))
    seen["shelve_in_words"] = await called(condition, 2949, "an hour")
    seen["long_comment"] = await called(condition, 9029, raised.EventId, ua.LocalizedText("x" * 2000))
    seen["acknowledge_a_number"] = await called(condition, 9111, raised.EventId, 7)
    seen["acknowledge"] = await called(condition, 9111, raised.EventId, ua.LocalizedText("fuse changed"))
    acknowledged = await news.event(lambda e: of_lift(e) and getattr(e, "AckedState/Id"))
    seen["acknowledged_by"] = [acknowledged.ClientUserId, acknowledged.Comment.Text]
    seen["again"] = await called(condition, 9111, raised.EventId, ua.LocalizedText("again"))
    state = await condition.get_child(["0:AckedState", "0:Id"])
    seen["acked_node"] = await state.read_value()
    # A client that comes later asks for what stands. Its filter takes the marks as well.
    late = News()
    third = await max_.create_subscription(100, late)
    await third.subscribe_events(max_.nodes.server, ua.ObjectIds.BaseEventType, queuesize=200)
    types = max_.get_node(ua.ObjectIds.ConditionType)
    seen["refresh"] = await called(types, 3875, ua.Variant(third.subscription_id, ua.VariantType.UInt32))
    mark = lambda number: lambda e: e.EventType == ua.NodeId(number)
    await late.event(mark(2787))
    between = []
    while True:
        event = await late.event(lambda e: True)
        if event.EventType == ua.NodeId(2788):
            break
        between.append(event.SourceName)
    seen["refreshed"] = sorted(set(between))
    # Of one item of a subscription alone.
    item = await third.subscribe_events(max_.nodes.server, ua.ObjectIds.BaseEventType, queuesize=200)
    numbers = [ua.Variant(number, ua.VariantType.UInt32) for number in (third.subscription_id, item)]
    seen["refresh_of_an_item"] = await called(types, 12912, *numbers)
    await late.event(mark(2788))
    seen["refresh_of_no_item"] = await called(types, 12912, numbers[0], ua.Variant(9999, ua.VariantType.UInt32))
    seen["refresh_of_nothing"] = await called(types, 3875, "one")
    seen["refresh_of_nobody"] = await called(types, 3875, ua.Variant(9999, ua.VariantType.UInt32))
    with sqlite3.connect(f"file:{BOOK}/gateway.sqlite?mode=ro", uri=True) as book:
        seen["audit"] = [list(row) for row in book.execute("SELECT who, action FROM audit ORDER BY id")]
        seen["desk"] = [list(row) for row in book.execute("SELECT who, comment FROM acknowledgements")]
    # The news of one alarm came one by one, each with an identity of its own.
    seen["told_twice"] = len(news.ids) - len(set(news.ids))
    await end_of_the_machine(eva, quiet)


async def queues(who, cycle):
    """How many values, and how many events, wait in an item of somebody who asks for very many."""
    subscription = await who.create_subscription(60_000, News())
    of_events = await get_filter_from_event_type([who.get_node(ua.ObjectIds.BaseEventType)], False)
    revised = []
    for node, attribute, wanted in [(cycle, ua.AttributeIds.Value, None), (who.nodes.server, ua.AttributeIds.EventNotifier, of_events)]:
        request = ua.MonitoredItemCreateRequest()
        request.ItemToMonitor.NodeId = node.nodeid
        request.ItemToMonitor.AttributeId = attribute
        request.MonitoringMode = ua.MonitoringMode.Reporting
        request.RequestedParameters.ClientHandle = 9999
        request.RequestedParameters.QueueSize = 100_000
        if wanted:
            request.RequestedParameters.Filter = wanted
        asked = ua.CreateMonitoredItemsParameters()
        asked.SubscriptionId = subscription.subscription_id
        asked.ItemsToCreate = [request]
        revised += [one.RevisedQueueSize for one in await who.uaclient.create_monitored_items(asked)]
    await subscription.delete()
    return revised


async def asked_whether(who, cycle):
    """Whether somebody who only looks may acknowledge, asked often; and how many the server has refused for that."""
    failed = who.get_node(ua.NodeId("Machine/Monitoring/Sinks/opcua/Failed", seen["index"]))
    before, may = await failed.read_value(), set()
    for _ in range(20):
        may.add((await who.get_node(ua.NodeId(9111)).read_attribute(ua.AttributeIds.UserExecutable)).Value.Value)
    # Figures are written together: this one and the cycle.
    now = await cycle.read_value()
    while await cycle.read_value() < now + 500:
        await asyncio.sleep(0.05)
    return [sorted(may), await failed.read_value() - before]


async def crowd():
    """More connections, sessions, subscriptions and items than there may be; what one gets is used, what one does not is refused."""
    inside, refusals = [], []
    while not refusals:
        one = Client(URL, timeout=PATIENCE)
        try:
            await one.connect()
            inside.append(one)
        except (ua.UaError, asyncio.TimeoutError, ConnectionError) as error:
            refusals.append(type(error).__name__)
        assert len(inside) < 100
    seen["sessions"], seen["session_refused"] = len(inside), refusals[0]
    first, subscriptions, error = inside[0], [], None
    while error is None:
        try:
            subscriptions.append(await first.create_subscription(1000, News()))
        except ua.UaError as refused_:
            error = type(refused_).__name__
        assert len(subscriptions) < 100
    seen["subscriptions"], seen["subscription_refused"] = len(subscriptions), error
    state = first.get_node(ua.ObjectIds.Server_ServerStatus_CurrentTime)
    items, error = [], None
    while error is None and len(items) < 10_000:
        try:
            items += await subscriptions[0].subscribe_data_change([state] * 500)
        except ua.UaError as refused_:
            error = type(refused_).__name__
    seen["items"], seen["item_refused"] = sum(isinstance(item, int) for item in items), error
    # Whoever is inside is served.
    seen["served"] = [await one.get_node(ua.ObjectIds.Server_ServerStatus_State).read_value() for one in inside]
    # A place is free again.
    await inside.pop().disconnect()
    async with Client(URL, timeout=PATIENCE) as late:
        seen["late"] = await late.get_node(ua.ObjectIds.Server_ServerStatus_State).read_value()
    for one in inside:
        await one.disconnect()


async def look_around():
    async with Client(URL, timeout=PATIENCE) as anybody:
        seen["state"] = await anybody.get_node(ua.ObjectIds.Server_ServerStatus_State).read_value()
        types = anybody.get_node(ua.ObjectIds.AcknowledgeableConditionType)
        seen["acknowledge"] = await called(types, 9111, b"", ua.LocalizedText(""))


async def main():
    if CROWD:
        return await crowd()
    if len(sys.argv) == 2:
        return await look_around()
    await at_the_door()
    eva = await client(SecurityPolicyBasic256Sha256, "eva", TUNER)
    max_ = await client(SecurityPolicyAes256Sha256RsaPss, "max", VIEWER)
    ada = await client(SecurityPolicyBasic256Sha256, "ada", ADMIN)
    async with eva, max_, ada:
        seen["index"] = await eva.get_namespace_index("urn:twinstep:gateway")
        machine, cycle, position = await browse(eva)
        news = News()
        subscription = await max_.create_subscription(100, news)
        await subscription.subscribe_data_change([max_.get_node(cycle.nodeid), max_.get_node(position.nodeid)])
        seen["queues"] = await queues(max_, cycle)
        seen["asked_whether"] = await asked_whether(max_, cycle)
        await alarm(eva, max_, ada, machine)
        values = [value for value in news.values[cycle.nodeid.Identifier] if value is not None]
        seen["cycles_seen"] = len(values)
        seen["cycles_grow"] = values == sorted(values) and values[0] < values[-1]


asyncio.run(main())
print(json.dumps(seen, default=str))
