//! Passwords, certificates of analysts, and how much one of them may ask.

use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow_flight::HandshakeRequest;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt as _;
use harness::certificates::{Authority, Party};
use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use harness::tap::Fault;
use jigsaw_client::Exit;
use jigsaw_proto::wire::FragmentRequest;
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

use super::{
    ACCESS, COORDINATOR, NODE, WALLS, anew, configured, jigsaw, jigsaw_at, last_asked, sent, start,
    token as file_token,
};
use crate::python::{Environment, run};

/// `correct horse battery`, hashed by another implementation (`argon2-cffi` 25.1, which stands on the reference code in C).
pub(crate) const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$69I7qCjDTsQwhQqFvpQJiqEI0lGQvxC84fXE0Ktxca4";
pub(crate) const PASSWORD: &str = "correct horse battery";

async fn channel(federation: &Federation, party: Option<&Party>) -> FlightServiceClient<Channel> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(federation.authority().pem()));
    if let Some(party) = party {
        tls = tls.identity(Identity::from_pem(&party.certificate, &party.key));
    }
    let address = format!("https://{}", federation.address());
    let endpoint = Endpoint::from_shared(address).unwrap().tls_config(tls).unwrap();
    FlightServiceClient::new(endpoint.connect().await.unwrap())
}

/// The token that signing in with a password gives.
async fn shaken(federation: &Federation, user: &str, password: &str) -> Result<String, Status> {
    let mut request = Request::new(futures::stream::iter([HandshakeRequest::default()]));
    let header = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    request.metadata_mut().insert("authorization", header.parse().unwrap());
    let response = channel(federation, None).await.handshake(request).await?;
    let header = response.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
    Ok(header.strip_prefix("Bearer ").unwrap().to_owned())
}

pub(super) async fn start_with_bob(dir: &TempDir) -> Federation {
    let users = format!("[[user]]\nname = \"bob\"\npassword = \"{HASH}\"\n");
    fs::write(dir.path().join("users.toml"), users).unwrap();
    fs::write(dir.path().join(ACCESS), "users = \"users.toml\"\n").unwrap();
    start(dir).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_signs_in_and_travels_once() {
    let dir = tempfile::tempdir().unwrap();
    let federation = start_with_bob(&dir).await;
    let token = shaken(&federation, "bob", PASSWORD).await.unwrap();
    assert!(!token.contains(PASSWORD));
    let nodes = jigsaw(&federation, &token, &["nodes"]).await;
    assert_eq!(nodes.exit, Exit::Answered, "{}", nodes.stderr);
    // The token of the file works as before, as bearer and as password.
    let ada = file_token(&federation);
    assert_eq!(jigsaw(&federation, &ada, &["nodes"]).await.exit, Exit::Answered);
    assert_eq!(shaken(&federation, "ada", &ada).await.unwrap(), ada);
    for (user, password) in [("bob", "a guess at it"), ("ada", PASSWORD), ("eve", PASSWORD), ("bob", "")] {
        let refused = shaken(&federation, user, password).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{user}: {refused}");
    }
    assert_eq!(jigsaw(&federation, PASSWORD, &["nodes"]).await.exit, Exit::Usage, "a password is no token");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn adbc_signs_in_with_a_password() {
    let environment =
        Environment { name: "password-check", packages: &["adbc-driver-flightsql>=1.13,<2", "pyarrow>=20"] };
    let Some(python) = tokio::task::spawn_blocking(move || environment.python()).await.unwrap() else {
        eprintln!("SKIPPED adbc_signs_in_with_a_password: there is no python3 on this machine");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let federation = start_with_bob(&dir).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/password_check.py");
    let mut check = std::process::Command::new(python);
    check.arg("-B").arg(script).arg(federation.address().to_string());
    check.arg(federation.ca_file()).args(["bob", PASSWORD]);
    tokio::task::spawn_blocking(move || run(&mut check)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_signs_in() {
    let dir = tempfile::tempdir().unwrap();
    let (analysts, strangers) = (Authority::new().unwrap(), Authority::new().unwrap());
    fs::create_dir_all(dir.path().join("tls")).unwrap();
    fs::write(dir.path().join("tls/analysts-ca.pem"), analysts.pem()).unwrap();
    fs::write(dir.path().join(ACCESS), "client_ca = \"tls/analysts-ca.pem\"\n").unwrap();
    let federation = start(&dir).await;
    let list = async |party: Option<Party>| {
        let mut client = channel(&federation, party.as_ref()).await;
        client.list_flights(arrow_flight::Criteria::default()).await.map(|_| ())
    };
    list(Some(analysts.sign(&["ada"]).unwrap())).await.unwrap();
    let two = list(Some(analysts.sign(&["ada", "bob"]).unwrap())).await.unwrap_err();
    assert!(two.code() == Code::Unauthenticated && two.message().contains("one DNS name"), "{two}");
    assert_eq!(list(None).await.unwrap_err().code(), Code::Unauthenticated);
    // Nodes have certificates as well; theirs are of another authority.
    let address = format!("https://{}", federation.address());
    let other =
        [strangers.sign(&["ada"]), federation.authority().sign(&["ada"]), analysts.sign_expired(&["ada"])];
    for other in other.map(Result::unwrap) {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(federation.authority().pem()))
            .identity(Identity::from_pem(&other.certificate, &other.key));
        let endpoint = Endpoint::from_shared(address.clone()).unwrap().tls_config(tls).unwrap();
        let refused = match endpoint.connect().await {
            Ok(channel) => FlightServiceClient::new(channel)
                .list_flights(arrow_flight::Criteria::default())
                .await
                .map(|_| ())
                .map_err(|status| status.code()),
            Err(_) => Err(Code::Unavailable),
        };
        assert!(refused.is_err(), "a certificate of another authority, or an old one, signs nobody in");
    }
}

/// A question that nothing but a certificate signs for, from the client to the node's record of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_asks() {
    let (dir, analysts) = (tempfile::tempdir().unwrap(), Authority::new().unwrap());
    fs::create_dir_all(dir.path().join("tls")).unwrap();
    fs::write(dir.path().join("tls/analysts-ca.pem"), analysts.pem()).unwrap();
    fs::write(dir.path().join(ACCESS), "client_ca = \"tls/analysts-ca.pem\"\n").unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| node.id == "camden");
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract).edit(configured);
    let federation = builder.start().await.unwrap();
    let party = analysts.sign(&["grace.analysts.example"]).unwrap();
    let mut client = FlightSqlServiceClient::new_from_inner(channel(&federation, Some(&party)).await);
    let info = client.execute(WALLS.to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let batches: Vec<_> = client.do_get(ticket).await.unwrap().try_collect().await.unwrap();
    assert!(batches.iter().map(RecordBatch::num_rows).sum::<usize>() > 1);
    let (_, line) = last_asked(&federation, "camden");
    assert_eq!(line["principal"], "grace.analysts.example");
}

/// Certificates of nodes must not sign in analysts: one authority for both is a mistake that is found at the start.
#[tokio::test(flavor = "multi_thread")]
async fn analysts_have_an_authority_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let federation = start(&dir).await;
    let file = dir.path().join("coordinator.toml");
    let text = fs::read_to_string(&file).unwrap();
    for (line, problem) in [
        ("client_ca = \"tls/federation-ca.pem\"", "authority of nodes"),
        ("plaintext = true\ntls = \"development\"", "plaintext shows no certificate"),
        ("anonymous = true", "anonymous"),
        ("forward_tokens = true", "access.issuer"),
        ("users = \"analysts.toml\"", "[[user]]"),
    ] {
        fs::write(&file, text.replace("[access]\n", &format!("[access]\n{line}\n"))).unwrap();
        let refused = jigsaw_coordinator::Settings::load(&file).unwrap_err().to_string();
        assert!(refused.contains(problem), "{line}: {refused}");
    }
    federation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_development_certificate_is_made_and_can_be_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let federation = start(&dir).await;
    let file = dir.path().join("coordinator.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[access]\n", "[access]\ntls = \"development\"\n")).unwrap();
    let settings = jigsaw_coordinator::Settings::load(&file).unwrap();
    let made = dir.path().join("development/certificate.pem");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    let running = tokio::spawn(jigsaw_coordinator::run(settings, listener, std::future::pending()));
    let token = file_token(&federation);
    let nodes = jigsaw_at(&server, &made, &token, &["nodes"]).await;
    assert_eq!(nodes.exit, Exit::Answered, "{}", nodes.stderr);
    let other = jigsaw_at(&server, &federation.ca_file(), &token, &["nodes"]).await;
    assert_eq!(other.exit, Exit::Connection, "the certificate of [tls] is not shown");
    running.abort();
}

/// Without TLS a token is anybody's on the way: there is plain text on this machine's own addresses only, and only where the word stands.
#[tokio::test(flavor = "multi_thread")]
async fn plain_text_is_spoken_on_this_machine_alone_and_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let federation = start(&dir).await;
    let file = dir.path().join("coordinator.toml");
    let text = fs::read_to_string(&file).unwrap();
    let plain = text.replace("[access]\n", "[access]\nplaintext = true\n");
    let anywhere = plain.replace("listen = \"127.0.0.1:", "listen = \"0.0.0.0:");
    assert_ne!(anywhere, plain);
    fs::write(&file, anywhere).unwrap();
    let refused = jigsaw_coordinator::Settings::load(&file).unwrap_err().to_string();
    assert!(refused.contains("loopback"), "{refused}");
    fs::write(&file, plain).unwrap();
    let settings = jigsaw_coordinator::Settings::load(&file).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let running = tokio::spawn(jigsaw_coordinator::run(settings, listener, std::future::pending()));
    let token = file_token(&federation);
    let list = async |address: String| {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut request = Request::new(arrow_flight::Criteria::default());
        let header = format!("Bearer {}", token.trim());
        request.metadata_mut().insert("authorization", header.parse().unwrap());
        let mut client = FlightServiceClient::new(endpoint.connect_lazy());
        client.list_flights(request).await.map(|_| ())
    };
    list(address).await.unwrap();
    list(federation.address().to_string()).await.expect_err("without the word there is TLS");
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_faster_than_the_limits() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(COORDINATOR), "[limits]\nrequests_per_minute = 30\n").unwrap();
    fs::write(dir.path().join(NODE), "[limits]\nrequests_per_minute = 2\n").unwrap();
    let federation = start(&dir).await;
    let sql = "SELECT wall_type, COUNT(*) FROM property GROUP BY wall_type";
    let mut refused = vec![];
    for _ in 0..40 {
        // N08 is an answer of the node as well: nobody is granted anything without proof.
        if let Err(problem) = federation.sql(sql).await {
            refused.push(problem);
        }
    }
    let at = |code: Code, words: &str| {
        refused.iter().any(|problem| problem.code == code && problem.message.contains(words))
    };
    assert!(
        at(Code::Unavailable, "N11 2 requests a minute are taken from one principal: ask again in"),
        "{refused:?}"
    );
    assert!(
        at(Code::Unavailable, "30 requests a minute are taken from one principal: ask again in"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_more_at_once_than_the_limits() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(COORDINATOR), "[limits]\nconcurrent = 2\n").unwrap();
    fs::write(dir.path().join(NODE), "[limits]\nconcurrent = 1\n").unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["camden", "hackney"].contains(&node.id.as_str()));
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract);
    let federation = builder.tap(["camden"]).edit(configured).start().await.unwrap();
    let sql = |column: &str| format!("SELECT {column}, COUNT(*) FROM property GROUP BY {column}");
    federation.sql(&sql("ward")).await.unwrap();

    // Two questions wait for a line that stalls; there is no room for a third at the coordinator, until they have ended.
    federation.tap("camden").fault(Fault::Stall);
    let (first, second) = (sql("wall_type"), sql("epc_band"));
    let waiting = async { futures::join!(federation.sql(&first), federation.sql(&second)) };
    let third = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let third = federation.sql(&sql("built_band")).await;
        federation.tap("camden").fault(Fault::None);
        third
    };
    let (waited, third) = futures::join!(waiting, third);
    let refused = third.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable, "{refused}");
    assert!(refused.message.contains("2 requests of one principal run at once"), "{refused}");
    // At a node that takes one at once, of whoever the coordinator says asks, the two may have met; nothing else kept them.
    for answer in [waited.0, waited.1] {
        assert!(answer.is_ok() || answer.is_err_and(|problem| problem.message.contains("N11")));
    }
    assert!(federation.sql(&sql("built_band")).await.is_ok(), "the room is given back");

    // A coordinator that keeps to no limit meets the node's own.
    let (request, _) = last_asked(&federation, "hackney");
    let bob = FragmentRequest { principal: "bob".to_owned(), ..request };
    let many = (0..48).map(|_| anew(&bob, "")).collect::<Vec<_>>();
    let answers = futures::future::join_all(many.iter().map(|one| sent(&federation, "hackney", one))).await;
    let refused = answers.iter().filter(|answer| answer.contains("1 requests of one principal run at once"));
    assert!(refused.clone().all(|answer| answer.starts_with("N11")), "{answers:?}");
    assert!(refused.count() > 0, "48 requests at once were all taken: {answers:?}");
    assert!(answers.iter().any(|answer| answer == "released"), "{answers:?}");
    assert_eq!(sent(&federation, "hackney", &anew(&bob, "")).await, "released", "the room is given back");
}
