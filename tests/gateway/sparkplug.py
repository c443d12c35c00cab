"""A Sparkplug host, with a decoder that nobody here wrote: PORT GROUP [FOLDER of certificates]. Prints what nodes say as JSON, one message a line.

A line of standard input is a command: `rebirth NODE`, `keep NODE` for one that the broker keeps, `forget NODE` to end that, or `online HOST` and `offline HOST` for the state of a host,
`babble NAME` for commands and states that nobody can read.
Data is decoded with the birth that came before it; data without one ends the host.
"""

import json
import os
import sys
import threading
import time

import paho.mqtt.client as mqtt
import pysparkplug as sparkplug

PORT, GROUP = int(sys.argv[1]), sys.argv[2]
KINDS = {"NBIRTH": sparkplug.NBirth, "DBIRTH": sparkplug.DBirth, "NDATA": sparkplug.NData, "DDATA": sparkplug.DData,
         "DDEATH": sparkplug.DDeath}
births = {}
last = []


def say(**line):
    print(json.dumps(line), flush=True)


def told(metric):
    return {"name": metric.name, "alias": metric.alias, "value": metric.value, "type": metric.datatype.name,
            "historical": metric.is_historical, "null": metric.is_null}


def message(_client, _data, message):
    try:
        _, group, kind, node, *device = message.topic.split("/")
        owner = (node, *device)
        line = {"type": "message", "kind": kind, "node": node, "device": (device or [None])[0], "qos": message.qos,
                "retain": bool(message.retain)}
        if kind == "NDEATH":
            line["metrics"] = [told(sparkplug.NDeath.decode(message.payload).bd_seq_metric)]
        else:
            payload = KINDS[kind].decode(message.payload, birth=births.get(owner))
            if kind.endswith("BIRTH"):
                births[owner] = payload
            line["seq"] = payload.seq
            line["metrics"] = [told(metric) for metric in getattr(payload, "metrics", [])]
        say(**line)
    except Exception as error:
        say(type="message", kind="error", error=f"{message.topic}: {error!r}")
        os._exit(1)


def connected(client, *_):
    # After a broker has gone, once more.
    for kind in ["NDEATH", *KINDS]:
        last[:] = [client.subscribe(f"spBv1.0/{GROUP}/{kind}/#", qos=1)[1]]


def subscribed(_client, _data, mid, *_):
    if [mid] == last:
        say(type="subscribed")


client = mqtt.Client(client_id="host", protocol=mqtt.MQTTv5)
client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, message
client.reconnect_delay_set(0.1, 0.5)
if len(sys.argv) > 3:
    client.tls_set(*(f"{sys.argv[3]}/{name}" for name in ("ca.pem", "client.pem", "client.key")))
client.connect("127.0.0.1", PORT)
client.loop_start()
for line in sys.stdin:
    word, name = line.split()
    now = int(time.time() * 1000)
    if word == "babble":
        node, host = name.split(",")
        for _ in range(2):
            client.publish(f"spBv1.0/{GROUP}/NCMD/{node}", b"\xff\xff\xff")
            command = sparkplug.Metric(timestamp=now, name="Axis/Position", datatype=sparkplug.DataType.DOUBLE, value=1.0)
            client.publish(f"spBv1.0/{GROUP}/NCMD/{node}", sparkplug.NCmd(timestamp=now, metrics=(command,)).encode(include_dtypes=True))
            client.publish(f"spBv1.0/STATE/{host}", b"OFFLINE", qos=1)
    elif word == "forget":
        client.publish(f"spBv1.0/{GROUP}/NCMD/{name}", b"", retain=True)
    elif word in ("rebirth", "keep"):
        command = sparkplug.Metric(timestamp=now, name="Node Control/Rebirth", datatype=sparkplug.DataType.BOOLEAN, value=True)
        payload = sparkplug.NCmd(timestamp=now, metrics=(command,)).encode(include_dtypes=True)
        client.publish(f"spBv1.0/{GROUP}/NCMD/{name}", payload, retain=word == "keep")
    else:
        client.publish(f"spBv1.0/STATE/{name}", json.dumps({"online": word == "online", "timestamp": now}), qos=1, retain=True)
os._exit(0)
