"""Compares a recording as Parquet with the same as CSV, row by row, with a reader that nobody here wrote.

parquet.py FILE.parquet FILE.csv"""

import csv
import sys

import pyarrow.parquet as parquet

table = parquet.read_table(sys.argv[1])
columns = {name: table.column(name).to_pylist() for name in table.column_names}
types = {field.name: str(field.type) for field in table.schema}
assert types["cycle"] == "uint64" and types["bus"] == "string" and types["recipe"] == "uint8", types
assert {types[name] for name in types if ".0x6064" in name} == {"int32"}, types
assert {types[name] for name in types if ".0x6041" in name} == {"uint16"}, types
rows = 0
with open(sys.argv[2], newline="") as file:
    reader = csv.DictReader(file)
    names = [name for name in reader.fieldnames if name != "twinstep_recording_v1"]
    # What the table leaves to the objects that tell it.
    conditions = ["tool", "load", "temperature"]
    assert names[:7] + conditions + names[7:] == table.column_names, (names, table.column_names)
    assert {types[name] for name in conditions} == {"uint8"}, types
    for number, row in enumerate(reader):
        for name in names:
            value = columns[name][number]
            assert ("" if value is None else str(value)) == row[name], (number, name, value, row[name])
        rows += 1
assert rows == table.num_rows, (rows, table.num_rows)
for name in conditions:
    print(name, *sorted({str(value) for value in columns[name]}))
print(f"{rows} rows are the same")
