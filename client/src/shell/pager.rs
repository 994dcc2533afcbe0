//! A screen at a time, where an answer is taller than the screen.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::surroundings::Surroundings;

/// Ends at once if all fits, keeps colours, leaves the text on the screen, cuts long lines.
const DEFAULT: &str = "less -FRSX";

/// Shows text on the screen, through `PAGER` if that is `wanted` and the text is taller.
pub(super) async fn show(text: Vec<u8>, wanted: bool, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    let rows = terminal_size::terminal_size().map_or(usize::MAX, |(_, height)| height.0.into());
    let tall = text.split(|byte| *byte == b'\n').count() > rows;
    let pager = around.set("PAGER").unwrap_or_else(|| DEFAULT.to_owned());
    if wanted && tall && !around.dumb() && pager.trim() != "cat" {
        let (sent, left) = tokio::task::spawn_blocking(move || (page(&pager, &text), text))
            .await
            .map_err(|_| Failure::failed("the pager failed: \\pager off does without"))?;
        if sent {
            return Ok(());
        }
        around.stdout.write_all(&left)?;
    } else {
        around.stdout.write_all(&text)?;
    }
    Ok(around.stdout.flush()?)
}

/// Runs the pager; whether there is one.
fn page(pager: &str, text: &[u8]) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    for secret in ["JIGSAW_PASSWORD", "JIGSAW_TOKEN"] {
        command.env_remove(secret);
    }
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRSX");
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        // Who has seen enough closes the pager.
        drop(stdin.write_all(text));
    }
    // 127: the shell has not found the command.
    child.wait().is_ok_and(|status| status.code() != Some(127))
}
