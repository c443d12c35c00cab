//! Where the figures were measured: without it they say nothing.

use std::fs;
use twinstep_host::trust::Trust;

/// Two lines on computer, kernel and build.
pub fn describe() -> String {
    let trust = Trust::observe();
    let info = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1))
            .map_or("unknown", str::trim)
            .to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = load();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let preempt = if trust.realtime_kernel {
        "PREEMPT_RT"
    } else {
        "no PREEMPT_RT"
    };
    format!(
        "{} (family {}, model {}), {cores} cores, kernel {kernel}, {preempt}, load {load}\nbuilt for {} with {}{}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        std::env::consts::ARCH,
        simd(),
        if cfg!(debug_assertions) {
            ", DEBUG ASSERTIONS ON"
        } else {
            ""
        },
    )
}

/// Load over the last minute.
pub fn load() -> String {
    read("/proc/loadavg")
        .split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

/// Size of the second-level cache of the first processor, as the kernel writes it.
pub fn second_level_cache() -> String {
    let size = read("/sys/devices/system/cpu/cpu0/cache/index2/size");
    match size.trim() {
        "" => "unknown".to_owned(),
        size => size.to_owned(),
    }
}

/// The widest vectors that the compiler was allowed to use.
fn simd() -> &'static str {
    if cfg!(target_feature = "avx512f") {
        "AVX-512"
    } else if cfg!(target_feature = "avx2") {
        "AVX2"
    } else if cfg!(target_feature = "sse2") {
        "SSE2"
    } else if cfg!(target_feature = "neon") {
        "NEON"
    } else {
        "no SIMD"
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
