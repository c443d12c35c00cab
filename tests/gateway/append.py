"""Appends COUNT events to the store in FOLDER, as the scribe does: copies of its last one under their own numbers, one a transaction."""

import json
import sqlite3
import sys

store = sqlite3.connect(f"{sys.argv[1]}/events.sqlite", timeout=10, isolation_level=None)
columns = [row[1] for row in store.execute("PRAGMA table_info(events)")]
row = dict(zip(columns, store.execute("SELECT * FROM events ORDER BY seq DESC LIMIT 1").fetchone()))
for _ in range(int(sys.argv[2])):
    row["seq"] += 1
    row["json"] = json.dumps(json.loads(row["json"]) | {"seq": row["seq"]}, separators=(",", ":"))
    store.execute(f"INSERT INTO events VALUES ({','.join('?' * len(columns))})", list(row.values()))
print(row["seq"])
