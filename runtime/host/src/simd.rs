//! Which vector unit this processor has: the one place that asks it.

use twinstep_models::simd::Level;

/// The widest unit that lanes are made for.
pub fn detected() -> Level {
    available().pop().unwrap_or(Level::PORTABLE)
}

/// All units of this processor that lanes are made for, the widest last.
pub fn available() -> Vec<Level> {
    let mut levels = vec![Level::PORTABLE];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just said that it has AVX2.
            #[expect(unsafe_code, reason = "vouches for the processor")]
            levels.push(unsafe { Level::avx2() });
        }
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
        {
            // SAFETY: the processor has just said that it has all that the level asks for.
            #[expect(unsafe_code, reason = "vouches for the processor")]
            levels.push(unsafe { Level::avx512() });
        }
    }
    levels
}
