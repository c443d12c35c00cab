//! `twinstep`: a digital twin inside the machine's own cycle.

fn main() -> std::process::ExitCode {
    twinstep_host::run(std::env::args_os())
}
