#!/bin/sh
# Made by `twinstep doctor --fix-script`. Read it before you run it as root.
# It applies what lasts until the next start of the computer; what needs a new start stands at the end as comments.
# It may be run again. TWINSTEP_ROOT=DIR writes into a copy of the files below DIR instead, and runs no command.
set -u
root=${TWINSTEP_ROOT:-}
failed=0

# put FILE VALUE: writes it unless it is there already.
put() {
    # Where there is a choice, what is chosen stands in brackets.
    case "$(cat "$root$1" 2>/dev/null)" in "$2" | *"[$2]"*) return 0 ;; esac
    if printf '%s\n' "$2" 2>/dev/null >"$root$1"; then
        echo "$1: $2"
    else
        echo "$1: refused $2" >&2
        failed=$((failed + 1))
    fi
}

# run COMMAND...: runs it on the live computer.
run() {
    if [ -n "$root" ]; then echo "not run below $root: $*"; return 0; fi
    if "$@"; then echo "done: $*"; else echo "failed: $*" >&2; failed=$((failed + 1)); fi
}

# isolation.smt: a sibling shares caches and execution units: what runs there slows the cycle down by up to half
put /sys/devices/system/cpu/cpu3/online 0

# throttling.rt_runtime: a real-time thread that uses up its share of the second, as a spinning one does, is stopped for the rest of it: 50 ms with the usual 950000
put /proc/sys/kernel/sched_rt_runtime_us -1

# kernel_work.workqueues: unbound work of drivers and file systems runs on every core in this mask
put /sys/devices/virtual/workqueue/writeback/cpumask 7f
put /sys/devices/virtual/workqueue/cpumask 7f

# kernel_work.watchdog: the watchdog wakes a thread of the highest priority on every core in its mask
put /proc/sys/kernel/watchdog_cpumask 0-6

# kernel_work.nmi_watchdog: it interrupts every core with an interrupt that nothing can mask
put /proc/sys/kernel/nmi_watchdog 0

# kernel_work.stat_interval: this often a worker of the kernel gathers memory statistics on every core
put /proc/sys/vm/stat_interval 10

# power.idle_states: leaving a deep idle state takes as long as its latency says, at every start of a cycle
put /sys/devices/system/cpu/cpu7/cpuidle/state2/disable 1

# power.governor: a governor that follows the load finds the core idle between cycles, and slows it down
put /sys/devices/system/cpu/cpu7/cpufreq/scaling_governor performance

# power.turbo: with turbo the clock of the core depends on what the other cores do, and changing it halts the core
put /sys/devices/system/cpu/intel_pstate/no_turbo 1

# power.aspm: a PCIe link that sleeps between frames wakes up microseconds late
put /sys/module/pcie_aspm/parameters/policy performance

# memory.swap: what is locked stays, but the rest of the computer stalls on the disk when memory gets short
run swapoff -a

# memory.huge_pages: putting pages together into huge ones happens behind the program's back and stops who touches them
put /sys/kernel/mm/transparent_hugepage/enabled madvise

# memory.compaction: compaction moves locked pages too, and whoever touches one meanwhile waits
put /proc/sys/vm/compact_unevictable_allowed 0

# nic.interface: the frames of the bus go through it
run ip link set eno1 up

# nic.ipv6: with IPv6 the kernel sends frames of its own between those of the bus
put /proc/sys/net/ipv6/conf/eno1/disable_ipv6 1

# nic.interrupts: the frame comes in by this interrupt: on the cycle's core it stops the cycle, on core 0 it waits for everything else
put /proc/irq/130/smp_affinity_list 6

# nic.threaded_napi: in a thread of its own the reception has a priority, but begins with none, behind every real-time thread; as a soft interrupt it waits behind others
put /sys/class/net/eno1/threaded 1
run sh -c 'pgrep ^napi/eno1- | xargs -r -n 1 chrt --fifo --pid 50'

# nic.power: with auto the kernel lets the card sleep when nothing was sent for a while
put /sys/class/net/eno1/device/power/control on

# interrupts.default_affinity: devices that appear later send their interrupts to every core in this mask
put /proc/irq/default_smp_affinity 7f

# interrupts.irqbalance: irqbalance moves interrupts about, and leaves out only isolated and banned cores
run systemctl stop irqbalance

# noise.machine_checks: this often (s) the kernel polls the machine-check banks on every core
put /sys/devices/system/machinecheck/machinecheck7/check_interval 0

# By hand, or with a new start:
# kernel.realtime (not PREEMPT_RT, 6.1.0-28-amd64): install a PREEMPT_RT kernel (Debian: apt-get install linux-image-rt-amd64; Ubuntu: pro enable realtime-kernel) and start it
# isolation.isolated (core 7 is not isolated (isolcpus none, cpuset partition none)): start the kernel with isolcpus=managed_irq,domain,7, or make a cpuset partition of type isolated with core 7
# isolation.nohz_full (nohz_full none, for core 7): start the kernel with nohz_full=7
# rights.sched_fifo (limit 0, no CAP_SYS_NICE): run it as the service in docs/realtime.md, or: setcap cap_sys_nice,cap_ipc_lock,cap_net_raw=ep twinstep
# rights.lock_memory (limit 8388608, no CAP_IPC_LOCK): run it as the service in docs/realtime.md, or: setcap cap_sys_nice,cap_ipc_lock,cap_net_raw=ep twinstep
# rights.network (no CAP_NET_RAW): run it as the service in docs/realtime.md, or: setcap cap_sys_nice,cap_ipc_lock,cap_net_raw=ep twinstep
# kernel_work.rcu_callbacks (on core 7): start the kernel with rcu_nocbs=7
# interrupts.affinity (1 of 2 on core 7: 130): echo 0-6 > /proc/irq/N/smp_affinity_list for each (some belong to a core and refuse)
# Kernel parameters (Debian: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub):
#   isolcpus=managed_irq,domain,7 nohz_full=7 nosmt nmi_watchdog=0 rcu_nocbs=7 pcie_aspm=off irqaffinity=0-6

if [ "$failed" -gt 0 ]; then
    echo "$failed not applied (interrupts that belong to a core refuse, and so does everything without root)" >&2
    exit 1
fi
