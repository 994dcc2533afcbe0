//! Questions that are signed and followed by polling.

use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, PollInfo};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt as _;
use jigsaw_proto::identity::{ASSERTION_HEADER, FRAGMENTS_ACTION};
use jigsaw_proto::wire::unix_ms;
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Code, Request, Status};

use super::super::jws;
use super::*;

/// A tool of the analyst's own, that polls.
struct Tool<'a> {
    federation: &'a Federation,
    token: String,
    assertion: String,
}

impl<'a> Tool<'a> {
    fn new(federation: &'a Federation) -> Self {
        Self { federation, token: token(federation), assertion: String::new() }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let headers = request.metadata_mut();
        headers.insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        headers.insert("x-jigsaw-purpose", PURPOSE.parse().unwrap());
        if !self.assertion.is_empty() {
            headers.insert(ASSERTION_HEADER, self.assertion.parse().unwrap());
        }
        request
    }

    async fn announce(&self, sql: &str) -> FlightInfo {
        let request = self.request(described(sql));
        self.federation.flight().get_flight_info(request).await.unwrap().into_inner()
    }

    /// What nodes will be asked, signed with a key made by the command.
    async fn sign(&mut self, identity: &str, info: &FlightInfo) {
        let action = Action { r#type: FRAGMENTS_ACTION.to_owned(), body: info.app_metadata.clone() };
        let asked = self.federation.flight().do_action(self.request(action)).await.unwrap().into_inner();
        let asked: Vec<_> = asked.try_collect().await.unwrap();
        let asked: Vec<Value> =
            asked.iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
        let words: Value = serde_json::from_str(&fs::read_to_string(identity).unwrap()).unwrap();
        let key = STANDARD.decode(words["private_key"].as_str().unwrap()).unwrap();
        let key = rcgen::KeyPair::try_from(key.as_slice()).unwrap();
        let (now, query) = (unix_ms() / 1000, String::from_utf8(info.app_metadata.to_vec()).unwrap());
        let claims = json!({
            "sub": "ada", "aud": "london", "iat": now, "exp": now + 60, "jti": query, "query": query,
            "purpose": PURPOSE, "datasets": asked[0]["datasets"],
            "fragments": asked.iter().map(|asked| asked["sha256"].clone()).collect::<Vec<_>>(),
        });
        self.assertion = jws(&key, "jigsaw-assertion+jwt", &claims);
    }

    /// Polls to the end.
    async fn follow(&self, descriptor: FlightDescriptor) -> Result<PollInfo, Status> {
        let mut next = descriptor;
        loop {
            let poll = self.federation.flight().poll_flight_info(self.request(next)).await?.into_inner();
            match poll.flight_descriptor.clone() {
                Some(again) => next = again,
                None => return Ok(poll),
            }
        }
    }

    /// The number of messages of an answer.
    async fn fetch(&self, info: &FlightInfo) -> usize {
        let ticket = self.request(info.endpoint[0].ticket.clone().unwrap());
        let stream = self.federation.flight().do_get(ticket).await.unwrap().into_inner();
        stream.try_collect::<Vec<_>>().await.unwrap().len()
    }
}

fn described(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

/// The ticket of what was announced, to be polled.
fn to_poll(info: &FlightInfo) -> FlightDescriptor {
    FlightDescriptor::new_cmd(info.endpoint[0].ticket.clone().unwrap().ticket)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_announced_is_signed_and_then_polled() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, identity) = signing(&dir).await;
    let mut tool = Tool::new(&federation);
    let info = tool.announce(WALLS).await;
    tool.sign(&identity, &info).await;
    let asked = |node: &str| federation.audit(node).iter().filter(|line| line["outcome"] == "asked").count();
    let before = asked("camden");
    let last = tool.follow(to_poll(&info)).await.unwrap();
    assert_eq!(last.progress, Some(1.0));
    let polled = last.info.unwrap();
    assert_eq!((&polled.app_metadata, &polled.schema), (&info.app_metadata, &info.schema));
    assert!(tool.fetch(&polled).await >= 2, "a schema and rows");
    assert_eq!(asked("camden") - before, asked("hackney"), "each node was asked as often");
    let (_, line) = last_asked(&federation, "camden");
    assert_eq!((&line["principal"], &line["verified"]), (&"ada".into(), &"signed by the analyst".into()));
    assert_eq!(line["query"].as_str().unwrap().as_bytes(), &info.app_metadata[..]);
}

/// A statement is signed over the id of its question, and a poll of a statement makes a question of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_runs_at_once_says_how_to_sign_instead() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, identity) = signing(&dir).await;
    let mut tool = Tool::new(&federation);
    for descriptor in [described(WALLS), to_poll(&tool.announce(WALLS).await)] {
        let refused = tool.follow(descriptor).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().contains("N10"), "{refused}");
        assert!(refused.message().contains("announce it with GetFlightInfo"), "{refused}");
        assert!(refused.metadata().contains_key("x-query-id"));
    }
    // What was signed for one question is of no use for another, however it is polled.
    let (info, other) = (tool.announce(WALLS).await, tool.announce(OTHER).await);
    tool.sign(&identity, &info).await;
    for descriptor in [described(WALLS), to_poll(&other)] {
        let refused = tool.follow(descriptor).await.unwrap_err();
        assert!(refused.message().contains("N10"), "{refused}");
        assert!(!refused.message().contains("announce it"), "{refused}");
    }
    assert_eq!(tool.follow(to_poll(&info)).await.unwrap().progress, Some(1.0));
}
