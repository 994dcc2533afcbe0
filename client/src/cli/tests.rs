//! Help texts are part of the interface: a change to one shows here.

use clap::CommandFactory as _;

use super::Cli;

#[test]
fn help_reads_as_agreed() {
    let mut command = Cli::command();
    command.build();
    command.clone().debug_assert();
    let golden = [
        ("query", include_str!("help/query.txt")),
        ("datasets", include_str!("help/datasets.txt")),
        ("describe", include_str!("help/describe.txt")),
        ("nodes", include_str!("help/nodes.txt")),
        ("identity", include_str!("help/identity.txt")),
        ("dpop", include_str!("help/dpop.txt")),
        ("explain", include_str!("help/explain.txt")),
        ("connect", include_str!("help/connect.txt")),
        ("completions", include_str!("help/completions.txt")),
        ("man", include_str!("help/man.txt")),
    ];
    assert_eq!(command.render_help().to_string(), include_str!("help/jigsaw.txt"));
    for (name, text) in golden {
        let found = command.find_subcommand_mut(name).unwrap();
        assert_eq!(found.render_help().to_string(), text, "jigsaw {name} --help");
    }
}
