"""The head of the page on computers of every kind: which fact is shown how."""

GOOD = {
    "timing_valid": True, "realtime_kernel": True, "policy": "fifo", "memory_locked": True, "throttling_off": True, "virtual_machine": False,
    "core": 1, "isolated": True, "cpu_dma_latency_held": True, "workers": 0, "workers_granted": 0, "rivals": 0, "missing": [],
}
COMPUTER = {"governor": "performance", "clock_source": "tsc", "interrupt_cores": None, "rx_coalescing_us": None}
# What is other than on a good computer.
CASES = {
    "good": {}, "nobody looked": {"rivals": None},
    "kernel": {"realtime_kernel": False, "timing_valid": False}, "policy": {"policy": "other", "timing_valid": False}, "deadline": {"policy": "deadline"},
    "memory": {"memory_locked": False, "timing_valid": False}, "throttling": {"throttling_off": False, "timing_valid": False},
    "virtual": {"virtual_machine": True, "timing_valid": False}, "workers": {"workers": 3, "workers_granted": 2, "timing_valid": False},
    "all workers": {"workers": 3, "workers_granted": 3}, "core": {"core": None, "isolated": False}, "isolated": {"isolated": False},
    "idle states": {"cpu_dma_latency_held": False}, "rivals": {"rivals": 2},
    "governor": {"governor": "powersave"}, "clock": {"clock_source": "hpet"}, "interrupts": {"interrupt_cores": "0-1"}, "coalescing": {"rx_coalescing_us": 50},
}
# Drawn and read at once, before the stream draws the machine's own again.
DRAW = """async ([trust, computer]) => {
  const view = await import('/page/trust.js');
  view.trust({ trust, computer });
  return [...document.querySelectorAll('#trust .chip')].map((chip) => [chip.textContent, chip.className.trim()]);
}"""


def chips(page):
    """The chips of a good computer, and of every other one those that it does not have."""
    seen = {}
    for name, other in CASES.items():
        trust = {key: other.get(key, value) for key, value in GOOD.items()}
        computer = {key: other.get(key, value) for key, value in COMPUTER.items()}
        drawn = page.evaluate(DRAW, [trust, computer])
        seen[name] = [chip for chip in drawn if name == "good" or chip not in seen["good"]]
    return seen
