//! The manual page, made of the help texts and of what they have no room for.

use std::io;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::failure::Failure;

/// Sections in roff that no flag has a help text for.
const MORE: &str = include_str!("man/more.roff");

/// The page `jigsaw(1)`, in roff.
pub(crate) fn page() -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    render(&mut page)?;
    Ok(page)
}

fn render(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    page.extend_from_slice(b".SH COMMANDS\n");
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let heading = format!(".SS jigsaw {}\n", sub.get_name());
        page.extend_from_slice(heading.as_bytes());
        page.extend_from_slice(
            roff(&sub.get_about().map(ToString::to_string).unwrap_or_default()).as_bytes(),
        );
        for argument in sub.get_arguments().filter(|argument| !argument.is_global_set()) {
            page.extend_from_slice(entry(argument).as_bytes());
        }
    }
    page.extend_from_slice(MORE.as_bytes());
    man.render_version_section(page)
}

/// One argument of a command.
fn entry(argument: &clap::Arg) -> String {
    let values: Vec<String> =
        argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.first().filter(|_| argument.get_action().takes_values());
    let value = value.map(|value| format!(" {value}")).unwrap_or_default();
    let name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}{value}"),
        (None, Some(long)) => format!("--{long}{value}"),
        _ => value.trim().to_owned(),
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
    format!(".TP\n\\fB{}\\fR\n{}", roff(&name).trim_end(), roff(&format!("{help}{values}")))
}

/// Text as a line of roff.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let guard = if text.starts_with(['.', '\'']) { "\\&" } else { "" };
    format!("{guard}{text}\n")
}
