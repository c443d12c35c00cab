"""Appends COUNT events to the store in FOLDER, as the scribe does: copies of its last one under their own numbers, one a transaction.

With NAME each is raised by a source of its own: FOLDER COUNT [NAME].
"""

import json
import sqlite3
import sys

folder, count, *name = sys.argv[1:]
store = sqlite3.connect(f"{folder}/events.sqlite", timeout=10, isolation_level=None)
columns = [row[1] for row in store.execute("PRAGMA table_info(events)")]
row = dict(zip(columns, store.execute("SELECT * FROM events ORDER BY seq DESC LIMIT 1").fetchone()))
for n in range(int(count)):
    changed = {"seq": row["seq"] + 1}
    if name:
        changed |= {"source": f"{name[0]} {n}", "state": "raised"}
    row |= changed
    row["json"] = json.dumps(json.loads(row["json"]) | changed, separators=(",", ":"))
    store.execute(f"INSERT INTO events VALUES ({','.join('?' * len(columns))})", list(row.values()))
print(row["seq"])
