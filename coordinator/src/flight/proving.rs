//! What nodes will be asked for an announced question, by digest and as SQL, so that the analyst can sign it before it is fetched.

use arrow_flight::Result as ActionResult;
use futures::{StreamExt, stream};
use serde::Serialize;
use tonic::{Response, Status};

use super::{Actions, Shared};

/// One fragment.
#[derive(Serialize)]
struct Asked {
    sha256: String,
    datasets: Vec<String>,
    sql: String,
}

impl Shared {
    /// One JSON message for each fragment of the caller's question of that id.
    pub(super) fn to_be_signed(&self, id: &[u8], principal: &str) -> Result<Response<Actions>, Status> {
        let id = std::str::from_utf8(id).unwrap_or_default();
        let question = self.tickets.announced(id, principal)?;
        let messages = question.planned.fragments().map(|fragment| {
            let datasets = fragment.input.datasets().into_iter().map(ToString::to_string).collect();
            let asked = Asked { sha256: fragment.digest(), datasets, sql: fragment.to_string() };
            Ok(ActionResult { body: serde_json::to_vec(&asked).unwrap_or_default().into() })
        });
        let messages: Vec<_> = messages.collect();
        Ok(Response::new(stream::iter(messages).boxed()))
    }
}
