"""Reads a recording with readers that nobody here wrote, and prints one JSON object of what is in it.

usage: read.py FILE.mcap [cut]"""

import json
import struct
import sys

from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader, make_reader
from mcap_ros1.decoder import DecoderFactory

path, cut = sys.argv[1], len(sys.argv) > 2
counts, first, last, trouble = {}, {}, {}, None
with open(path, "rb") as stream:
    if cut:
        reader = NonSeekingReader(stream, decoder_factories=[DecoderFactory()])
    else:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
    try:
        for schema, channel, message in reader.iter_messages(log_time_order=not cut):
            topic = channel.topic
            counts[topic] = counts.get(topic, 0) + 1
            if channel.message_encoding.startswith("x-"):
                # Nobody else reads the twins' state.
                continue
            if channel.message_encoding == "json":
                value = json.loads(message.data)
            elif topic in first and counts[topic] % 100 and topic != "/digests":
                continue
            else:
                value = None
                for factory in [DecoderFactory()]:
                    decoded = factory.decoder_for(channel.message_encoding, schema)(message.data)
                    value = {name: getattr(decoded, name) for name in decoded.__slots__}
                    value = {n: list(v) if isinstance(v, bytes) else v for n, v in value.items()}
            first.setdefault(topic, value)
            last[topic] = value
    except (McapError, struct.error) as error:
        # Where a record is cut in the middle of a number the reader says it as struct does.
        trouble = f"{type(error).__name__}: {error}"
    metadata, attachments = {}, []
    if not cut:
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
        attachments = [one.name for one in reader.iter_attachments()]
print(json.dumps({"counts": counts, "first": first, "last": last, "metadata": metadata,
                  "attachments": attachments, "trouble": trouble}))
