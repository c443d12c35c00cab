use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn demo_takes_all_its_options() {
    let cli = parse(
        "twinstep demo --fast --cycles 600000 --seed 7 --machine-seed 3 --json --record r.csv --pcap f.pcap \
         --inject friction:x:factor=1.2@10s --inject frame_loss:bus:count=3 --state s --judge --config c.toml",
    )
    .unwrap();
    assert!(cli.command.json());
    let Command::Demo(args) = cli.command else {
        panic!("not demo")
    };
    assert_eq!(args.cycle.cycles, Some(600_000));
    assert_eq!((args.cycle.seed, args.cycle.machine_seed), (7, Some(3)));
    assert_eq!(args.cycle.inject.len(), 2);
    assert!(args.cycle.fast && args.cycle.judge);
    assert_eq!(args.config, Some(PathBuf::from("c.toml")));
}

#[test]
fn demo_has_defaults_for_everything() {
    let Command::Demo(args) = parse("twinstep demo").unwrap().command else {
        panic!("not demo")
    };
    assert_eq!(args.cycle.seed, 1);
    assert_eq!(args.cycle.cycles, None);
    assert!(!args.cycle.json && !args.cycle.fast && args.config.is_none());
}

#[test]
fn top_names_a_machine_or_a_socket() {
    let Command::Top(args) = parse("twinstep top --socket a.sock --json")
        .unwrap()
        .command
    else {
        panic!("not top")
    };
    assert_eq!(args.control, Some(PathBuf::from("a.sock")));
    assert!(args.json && args.config.is_none());
    assert!(parse("twinstep top cell.toml --control a.sock").is_err());
}

#[test]
fn run_replay_and_calibrate_name_their_files() {
    let Command::Run(run) = parse("twinstep run cell.toml --interface eth1 --arm")
        .unwrap()
        .command
    else {
        panic!("not run")
    };
    assert_eq!(run.interface.as_deref(), Some("eth1"));
    assert!(run.arm);
    let Command::Replay(replay) = parse("twinstep replay emps.toml half.csv --json")
        .unwrap()
        .command
    else {
        panic!("not replay")
    };
    assert_eq!(replay.recording, PathBuf::from("half.csv"));
    let Command::Calibrate(calibrate) = parse("twinstep calibrate c.toml a.csv b.csv --write")
        .unwrap()
        .command
    else {
        panic!("not calibrate")
    };
    assert_eq!(calibrate.recordings.len(), 2);
    assert!(calibrate.write);
}

#[test]
fn whatif_takes_many_values() {
    let line = "twinstep whatif c.toml --set x.mass=+2kg --set *.jerk=x2 --for 20s --judge --json";
    let cli = parse(line).unwrap();
    assert!(cli.command.json());
    let Command::Whatif(args) = cli.command else {
        panic!("not whatif")
    };
    assert_eq!(args.set, ["x.mass=+2kg", "*.jerk=x2"]);
    assert_eq!(
        (args.time.as_deref(), args.band.as_str()),
        (Some("20s"), "50um")
    );
    assert!(args.judge && args.plot.is_none());
}

#[test]
fn check_needs_a_configuration_or_asks_for_the_schema() {
    assert!(parse("twinstep check").is_err());
    assert!(parse("twinstep check --schema").is_ok());
    assert!(parse("twinstep check cell.toml").is_ok());
}

#[test]
fn wrong_arguments_exit_with_2() {
    for line in [
        "twinstep",
        "twinstep demo --cycles 0",
        "twinstep demo --cycles many",
        "twinstep demo --unknown",
        "twinstep run",
        "twinstep run c.toml --interface eth1 --fast",
        "twinstep calibrate c.toml",
        "twinstep whatif",
        "twinstep whatif c.toml --for 20s --recording r.csv",
        "twinstep events --since -1",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
    assert_eq!(parse("twinstep --help").unwrap_err().exit_code(), 0);
}
