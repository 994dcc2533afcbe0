//! Flags and help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(test)]
mod tests;

const AFTER: &str = "\
Environment:
  JIGSAW_PROFILE         a profile that `jigsaw connect` saved, as --profile
  JIGSAW_SERVER          the coordinator's address, as --server
  JIGSAW_TOKEN           the access token (never a flag: the process list is public)
  JIGSAW_TOKEN_FILE      a file holding the token, as --token-file
  JIGSAW_USER            your name at the coordinator, as --user
  JIGSAW_PASSWORD        your password (never a flag either)
  JIGSAW_PASSWORD_FILE   a file holding the password, as --password-file
  JIGSAW_CERTIFICATE     a file with your client certificate, as --certificate
  JIGSAW_KEY             a file with its private key, as --key
  JIGSAW_IDENTITY        a file with your own key, as --identity
  JIGSAW_ASSERTION_FILE  a file with a token for nodes, as --assertion-file
  JIGSAW_CA              certificates to trust, as --ca
  NO_COLOR               no colour and no dimmed text
  PAGER                  shows what is taller than the screen in the shell

Exit codes:
  0 answered   1 wrong SQL or failed query   2 usage   3 connection or sign-in
  4 refused by policy   5 nodes missing   130 interrupted";

/// Ask a Jigsaw federation in SQL; without a command, on a terminal, in a shell.
#[derive(Debug, Parser)]
#[command(name = "jigsaw", bin_name = "jigsaw", version, term_width = 100, after_help = AFTER, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Keep no history of what is typed in the shell
    #[arg(long)]
    pub(crate) no_history: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help = "Use what `jigsaw connect` saved under this name [default: default]"
    )]
    pub(crate) profile: Option<String>,
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "The coordinator's address [default: https://127.0.0.1:50050]"
    )]
    pub(crate) server: Option<String>,
    /// Read the access token from this file
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "user")]
    pub(crate) token_file: Option<PathBuf>,
    /// Sign in with this name and a password, which is asked for if no file or variable has it
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Read the password from the first line of this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Sign in with the client certificate in this PEM file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "Read the certificate's private key from this PEM file [default: that of --certificate]"
    )]
    pub(crate) key: Option<PathBuf>,
    /// Sign what nodes are asked with the key in this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Pass the token in this file on to the nodes; one that is bound to a key is signed with --identity
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) assertion_file: Option<PathBuf>,
    /// Trust the certificates in this PEM file [default: the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run SQL and print the answer
    Query(Query),
    /// List the datasets that can be asked
    Datasets(Show),
    /// List the columns of a dataset
    Describe {
        /// The dataset's name
        dataset: String,
        #[command(flatten)]
        show: Show,
    },
    /// List the nodes and whether they answer
    Nodes(Show),
    /// Make a key of your own, and show what nodes need to know of it
    Identity {
        /// Your name, as nodes know it
        name: String,
        /// The federation, as nodes call it: 'audience' below 'identity'
        #[arg(long, value_name = "NAME")]
        federation: String,
        /// File to keep the key in; it must not exist
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Prove to an identity provider that you hold your key, so that it binds a token to it (RFC 9449)
    Dpop {
        /// The provider's token endpoint; the proof is printed, to be sent there in the header `DPoP`
        url: String,
        /// What the provider sent in its header `DPoP-Nonce`
        #[arg(long, value_name = "TEXT")]
        nonce: Option<String>,
    },
    /// Show how a query would run, and whether the policy allows it, without running it
    Explain {
        /// The query
        sql: String,
        #[command(flatten)]
        show: Show,
    },
    /// Try a connection, and save it as a profile
    Connect(Connect),
    /// Print the script that completes this command in a command shell
    Completions {
        /// The command shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Args, Debug)]
pub(crate) struct Connect {
    /// The profile's name
    #[arg(default_value = crate::profiles::DEFAULT)]
    pub(crate) name: String,
    /// Why you will ask; sent with every question
    #[arg(long, value_name = "TEXT")]
    pub(crate) purpose: Option<String>,
    /// Save the password as well, in the profile's file, which only you can read
    #[arg(long)]
    pub(crate) save_password: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Query {
    /// Statements, separated by `;` (read from standard input if neither this nor --file is given)
    pub(crate) sql: Option<String>,
    /// Read the statements from this file
    #[arg(short, long, value_name = "FILE", conflicts_with = "sql")]
    pub(crate) file: Option<PathBuf>,
    /// Accept an answer without the nodes that do not answer
    #[arg(long)]
    pub(crate) allow_partial: bool,
    /// Why you ask; kept in the audit logs
    #[arg(long, value_name = "TEXT")]
    pub(crate) purpose: Option<String>,
    /// Say how good each released figure is in columns beside it, or only leave out what is withheld
    #[arg(long, value_enum, default_value_t = CellStatus::Nulls, value_name = "HOW")]
    pub(crate) cell_status: CellStatus,
    /// Draw the answer: on the screen, or into the file of --output if it ends in .svg or .png
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "format")]
    pub(crate) chart: Option<Chart>,
    /// Show what each node would be asked and what its policy would do, without asking it
    #[arg(long, conflicts_with = "chart")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) show: Show,
}

/// What an answer is drawn as: a bar for each row, a line for each column, or the boroughs of London.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Chart {
    Bar,
    Line,
    #[value(alias = "hex")]
    Map,
}

/// What is said of the cells of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CellStatus {
    Nulls,
    Columns,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Show {
    /// How to write the answer
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Write the answer to this file, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: Option<u32>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
    Ndjson,
    Markdown,
    Vertical,
    Parquet,
    Arrow,
}

impl Format {
    /// Not for eyes: goes to a file or a pipe.
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }
}
