"""A subscriber: PORT FILTER [--tls FOLDER] [--user NAME PASSWORD] [--leave].

Prints every message as one JSON object. Its session stays with the broker while it is away, and it comes back when the broker does.
With --leave it goes as soon as it is subscribed. It ends after a minute without a message.
"""

import argparse
import json
import os
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("filter")
arguments.add_argument("--tls")
arguments.add_argument("--user", nargs=2)
arguments.add_argument("--leave", action="store_true")
given = arguments.parse_args()

heard = threading.Event()


def say(**line):
    print(json.dumps(line), flush=True)


def connected(client, _data, _flags, reason, _properties=None):
    if reason == 0:
        client.subscribe(given.filter, qos=1)


def subscribed(client, *_):
    say(type="subscribed")
    if given.leave:
        client.disconnect()


def message(_client, _data, message):
    heard.set()
    try:
        parsed = json.loads(message.payload)
    except ValueError:
        parsed = None
    properties = dict(getattr(message.properties, "UserProperty", []))
    content = getattr(message.properties, "ContentType", None)
    say(type="message", topic=message.topic, retain=bool(message.retain), qos=message.qos, payload=message.payload.hex(),
        json=parsed, properties=properties, content=content,
        expires=hasattr(message.properties, "MessageExpiryInterval"))


client = mqtt.Client(client_id="listener", protocol=mqtt.MQTTv5)
client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, message
client.reconnect_delay_set(min_delay=0.1, max_delay=0.5)
if given.tls:
    client.tls_set(f"{given.tls}/ca.pem", f"{given.tls}/client.pem", f"{given.tls}/client.key")
if given.user:
    client.username_pw_set(*given.user)
session = Properties(PacketTypes.CONNECT)
session.SessionExpiryInterval = 3600


def watch():
    while heard.wait(60):
        heard.clear()
    os._exit(1)


threading.Thread(target=watch, daemon=True).start()
while True:
    try:
        client.connect("127.0.0.1", given.port, clean_start=False, properties=session)
        client.loop_forever()
        if given.leave:
            break
    except OSError:
        # The broker is away, or has gone in the middle of a word.
        time.sleep(0.1)
