use super::*;

fn access() -> Access {
    let hash = Sha256::digest("secret").iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let users = vec![("bob".to_owned(), users::hash("correct horse battery").unwrap())];
    Access {
        analysts: vec![Analyst::new("ada", &hash).unwrap()],
        users: Some(Users::new(users).unwrap()),
        ..Access::default()
    }
}

fn call(authorization: &str) -> Signs {
    let mut request = Request::new(());
    if !authorization.is_empty() {
        request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    Signs::of(&request).unwrap_or(Signs { credential: Credential::None, certificate: None })
}

fn basic(text: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[tokio::test]
async fn tokens_and_both_spellings_of_basic_are_taken() {
    let access = access();
    for header in ["Bearer secret", "Basic YWRhOnNlY3JldA==", "Basic YWRhOnNlY3JldA"] {
        assert_eq!(access.caller(&call(header)).await.unwrap().principal, "ada", "{header}");
    }
}

#[tokio::test]
async fn others_are_not() {
    let access = access();
    for header in ["Bearer guess", "", "Basic Ym9iOnNlY3JldA==", "Bearer a.b.c", "Bearer ", "Digest x"] {
        let refused = access.caller(&call(header)).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{header}");
    }
}

/// A password is shown once; the token it gives is good from then on, and the password itself is none.
#[tokio::test]
async fn a_password_gives_a_token() {
    let access = access();
    let header = access.handshake(&call(&basic("bob:correct horse battery"))).await.unwrap().unwrap();
    let header = header.to_str().unwrap();
    assert!(!header.contains("correct"));
    assert_eq!(access.caller(&call(header)).await.unwrap().principal, "bob");
    assert!(access.caller(&call("Bearer correct horse battery")).await.is_err());
    for wrong in
        ["bob:correct horse batter", "ada:correct horse battery", "eve:correct horse battery", "bob:"]
    {
        let refused = access.caller(&call(&basic(wrong))).await.unwrap_err();
        assert_eq!(refused.message(), "user name or password is wrong", "{wrong}");
    }
    for _ in 0..10 {
        _ = access.caller(&call(&basic("bob:a guess of twelve"))).await;
    }
    let refused = access.caller(&call(&basic("bob:correct horse battery"))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert!(refused.message().contains("ask again in"), "{refused}");
    assert!(access.caller(&call(header)).await.is_ok(), "who is signed in is not kept out by guesses");
}

#[test]
fn a_file_of_users_holds_hashes_of_the_right_kind() {
    for (name, hash, problem) in [
        ("bob", "secret", "no Argon2id hash"),
        ("bob", "$argon2d$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "no Argon2id hash"),
        ("", "x", "name"),
    ] {
        let refused = Users::new(vec![(name.to_owned(), hash.to_owned())]).unwrap_err();
        assert!(refused.contains(problem) && !refused.contains("secret"), "{refused}");
    }
    assert!(users::hash("short").is_err());
}
