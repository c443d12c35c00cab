//! Benchmarks of twinstep; see the `benches` of this package.
