//! What an analyst proves to the nodes, beside a question.

use arrow_flight::Action;
use bytes::Bytes;
use futures::TryStreamExt as _;
use tonic::metadata::{Ascii, MetadataValue};

use crate::command::Ask;
use crate::connect::Session;
use crate::failure::Failure;
use crate::identity::Asked;
use crate::settings::Proof;

/// What goes to the nodes with a question, so that they need not take the coordinator's word for who asks; signed over what the
/// coordinator says it will ask them.
pub(crate) async fn prove(
    session: &mut Session,
    ask: &Ask,
    statement: &str,
    query_id: &str,
) -> Result<Option<MetadataValue<Ascii>>, Failure> {
    let (identity, token) = match session.proof.clone() {
        Proof::None => return Ok(None),
        Proof::Token(token) => return Ok(Some(token)),
        Proof::Key(identity, token) => (identity, token),
    };
    let body = Bytes::copy_from_slice(query_id.as_bytes());
    let request = session.request(Action { r#type: "jigsaw.fragments".to_owned(), body });
    let messages = session.flight.do_action(request).await?.into_inner();
    let messages: Vec<_> = messages.try_collect().await.map_err(Failure::from)?;
    let asked = messages.iter().map(|message| serde_json::from_slice::<Asked>(&message.body));
    let asked: Vec<Asked> = asked.collect::<Result<_, _>>().map_err(|_| {
        Failure::failed("the server does not say what it will ask the nodes, so it cannot be signed")
    })?;
    if asked.is_empty() {
        return Ok(None);
    }
    let purpose = ask.purpose.as_ref().and_then(|purpose| purpose.to_str().ok()).unwrap_or_default();
    let signed = identity.sign((statement, query_id, purpose.trim()), &asked, token.as_deref())?;
    let mut value = MetadataValue::try_from(signed)
        .map_err(|_| Failure::failed("what was signed does not fit a header"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
