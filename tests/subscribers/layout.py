"""The layout of twinstep's shared memory, written down a second time, from docs/shared-memory.md."""

import ctypes
import time

import iceoryx2 as iox2

F64, U64, U32, U16, U8 = ctypes.c_double, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint16, ctypes.c_uint8


def layout(name, *fields, version=1):
    """A C structure that iceoryx2 knows as twinstep_NAME_VERSION."""
    members = {"_fields_": list(fields), "type_name": staticmethod(lambda: f"twinstep_{name}_{version}")}
    return type(name, (ctypes.Structure,), members)


Flag = layout(
    "Flag",
    ("cycle", U64), ("time_ns", U64), ("measured", F64), ("predicted", F64), ("source", U16),
    ("source_kind", U8), ("channel", U8), ("state", U8), ("detector", U8), ("severity", U8), ("reserved", U8),
)
StoredEvent = layout(
    "StoredEvent",
    ("seq", U64), ("cycle", U64), ("time_ns", U64), ("time_utc_ns", U64), ("measured", F64), ("predicted", F64),
    ("source", U8 * 64), ("bus", U8 * 32), ("channel", U8 * 32), ("cause", U8 * 128), ("state", U8), ("severity", U8), ("reserved", U8 * 6),
)
CycleHeader = layout(
    "CycleHeader",
    ("cycle", U64), ("time_ns", U64), ("recipe", U8), ("part", U8), ("controller", U8), ("halt", U8),
    ("halt_axis", U16), ("reserved", U8 * 2),
)
AxisState = layout(
    "AxisState",
    ("position_m", F64), ("velocity_m_per_s", F64), ("current_a", F64), ("target_m", F64),
    ("predicted_position_m", F64), ("predicted_velocity_m_per_s", F64), ("predicted_current_a", F64),
    ("residual_sigma", F64), ("missing", U8), ("drive_state", U8), ("regime", U8), ("predicted", U8),
    ("reserved", U8 * 4),
)
StationState = layout(
    "StationState",
    ("pressure_pa", F64), ("predicted_pressure_pa", F64), ("residual_sigma", F64), ("ejector_on", U8), ("blow_off", U8), ("missing", U8),
    ("predicted", U8), ("reserved", U8 * 4),
)
# Of the service requests/1, for controllers that tell no tool, load and temperature.
RequestHeader1 = layout(
    "RequestHeader",
    ("cycle", U64), ("ejectors", U64), ("blow_offs", U64), ("recipe", U8), ("part", U8), ("reserved", U8 * 6),
)
# Of the service requests/2.
RequestHeader2 = layout(
    "RequestHeader",
    ("cycle", U64), ("ejectors", U64), ("blow_offs", U64), ("temperature", F64), ("tool", U32), ("load", U32),
    ("recipe", U8), ("part", U8), ("reserved", U8 * 6),
    version=2,
)
AxisTarget = layout("AxisTarget", ("target_m", F64), ("enable", U8), ("reserved", U8 * 7))

OPERATION_ENABLED = 4
WAITING, FOLLOWING, HALTED = 1, 2, 3
SILENT, END_OF_RUN = 1, 4


def node():
    iox2.set_log_level(iox2.LogLevel.Fatal)
    return iox2.NodeBuilder.new().signal_handling_mode(iox2.SignalHandlingMode.Disabled).create(iox2.ServiceType.Ipc)


def opened(builder, seconds=30):
    """The service, as soon as twinstep has made it."""
    end = time.monotonic() + seconds
    while True:
        try:
            return builder().open()
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.002)


def ask(publisher, cycle, count, enable, target_m, told=(0, 0, 0.0)):
    """Answers a cycle: enables the first axis or none, with its target. `told` are the numbers of tool, load and temperature, which
    requests/1 does not have."""
    sample = publisher.loan_slice_uninit(count)
    header = sample.user_header().contents
    header.cycle, header.ejectors, header.blow_offs, header.recipe, header.part = cycle, 0, 0, 0, 0
    if isinstance(header, RequestHeader2):
        header.tool, header.load, header.temperature = told
    payload = sample.payload()
    for n in range(count):
        payload[n].target_m, payload[n].enable = (target_m, int(enable)) if n == 0 else (0.0, 0)
    sample.assume_init().send()


def text(field):
    return bytes(field).rstrip(b"\0").decode()


class Machine:
    """The services that twinstep publishes, and the one that it listens to."""

    def __init__(self, name):
        self.node, self.heard = node(), 0.0
        service = lambda what, version=1: self.node.service_builder(iox2.ServiceName.new(f"twinstep/{name}/{what}/{version}"))
        self.flag_service = opened(lambda: service("flags").publish_subscribe(Flag))
        self.event_service = opened(lambda: service("events").publish_subscribe(StoredEvent))
        self.axes_service = opened(
            lambda: service("axes").publish_subscribe(iox2.Slice[AxisState]).user_header(CycleHeader))
        # Only where the machine has stations.
        self.stations_service = lambda: opened(
            lambda: service("stations").publish_subscribe(iox2.Slice[StationState]).user_header(CycleHeader))
        headers = {1: RequestHeader1, 2: RequestHeader2}
        self.requests = lambda version: service("requests", version).publish_subscribe(
            iox2.Slice[AxisTarget]).user_header(headers[version])
        self.flags = self.flag_service.subscriber_builder().create()
        self.axes = self.axes_service.subscriber_builder().create()
        self.events = self.event_service.subscriber_builder().create()

    def newest(self, first):
        """Header, the axis with the index `first`, and the number of axes of the newest sample; None where there is no new one."""
        found = None
        for sample in self.all(self.axes):
            # Copies: a sample goes back as soon as it is let go of.
            header = CycleHeader.from_buffer_copy(sample.user_header().contents)
            found = header, AxisState.from_buffer_copy(sample.payload()[first]), self.count(sample)
            del sample
        return found

    def stations(self):
        """A subscriber to the samples of all stations."""
        return self.stations_service().subscriber_builder().create()

    def publisher(self, version=2):
        return opened(lambda: self.requests(version)).publisher_builder().initial_max_slice_len(64).create()

    def lives(self):
        """Whether twinstep runs. It is looked for only when it has been silent for a while."""
        if time.monotonic() < self.heard + 0.1:
            return True
        self.heard = time.monotonic()
        # The scribe goes after the cycle.
        nodes = (state for service in (self.axes_service, self.event_service) for state in service.nodes if isinstance(state, iox2.NodeState.Alive))
        return any(state[0].details.name.as_str() == "twinstep" for state in nodes)

    @staticmethod
    def count(sample):
        """Axes, or stations, in a sample. In version 0.10 the binding's own length of a slice is one of bytes."""
        return sample.header.number_of_elements

    def all(self, subscriber):
        while True:
            # Nothing is kept here: a subscriber may hold two samples at a time.
            sample = subscriber.receive()
            if sample is None:
                return
            self.heard = time.monotonic()
            yield sample
            del sample
