//! Tokens that are bound to a key, and what it takes to use one.

use super::*;

/// Carl, whose key no node knows.
struct Carl {
    bench: Bench,
    key: Signer,
}

impl Carl {
    fn new() -> Self {
        let mut bench = Bench::new(true);
        bench.identity.settings.bearer_tokens = false;
        Self { bench, key: Signer::new() }
    }

    fn token_of(&self, subject: &str, confirmation: &Value) -> String {
        let claims = json!({"iss": ISSUER, "aud": "nodes", "sub": subject, "exp": NOW + 60, "groups": "air", "cnf": confirmation});
        self.bench.issuer.sign("at+jwt", &claims)
    }

    fn token(&self) -> String {
        self.token_of("carl", &json!({"jkt": Key::Ed25519(self.key.public()).thumbprint()}))
    }

    /// A question with a token, signed by a key that its header says to be another's.
    fn signed(signer: &Signer, brought: &Signer, token: &str, changes: &Value) -> String {
        let mut all = json!({"sub": "carl", "token": token});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let header = json!({"alg": "EdDSA", "typ": STATEMENT, "jwk": brought.jwk()});
        signer.sign_under(&header, &claims(&all))
    }

    fn asks(&self, changes: &Value) -> String {
        Self::signed(&self.key, &self.key, &self.token(), changes)
    }

    async fn answer(&self, assertion: &str) -> Result<Who, Refusal> {
        let request = FragmentRequest { principal: "carl".to_owned(), ..request(assertion) };
        self.bench.identity.verify(&request, NOW).await
    }
}

#[tokio::test]
async fn a_bound_token_and_its_key_prove_name_purpose_and_fragment() {
    let carl = Carl::new();
    let who = carl.answer(&carl.asks(&json!({}))).await.unwrap();
    assert_eq!((who.principal.as_str(), who.purpose.as_deref()), ("carl", Some("a test")));
    assert!(who.groups.contains("air"));
    let Proof::Statement(signed) = who.proof else { panic!("no statement") };
    assert_eq!(signed.issuer.as_deref(), Some(ISSUER));
    let request = request(&signed.text);
    assert_eq!(carl.bench.identity.take(&signed, &request), Ok(()));
    let again = carl.bench.identity.take(&signed, &request).unwrap_err();
    assert_eq!(again.code, RefusalCode::NotProved);
}

/// What a coordinator, or another node, could do with a token that went through its hands, and cannot.
#[tokio::test]
async fn a_stolen_token_is_of_no_use() {
    let (carl, thief) = (Carl::new(), Signer::new());
    let token = carl.token();
    let none = json!({});
    let free = json!({"jkt": Key::Ed25519(thief.public()).thumbprint()});
    let attacks = [
        ("alone", token.clone(), "bound to a key"),
        ("with the thief's key", Carl::signed(&thief, &thief, &token, &none), "not signed with the key"),
        (
            "with a signature that is not carl's",
            Carl::signed(&thief, &carl.key, &token, &none),
            "signature is wrong",
        ),
        ("for another fragment", carl.asks(&json!({"fragments": ["0".repeat(64)]})), "other fragments"),
        ("for another purpose", carl.asks(&json!({"purpose": "another"})), "another purpose"),
        ("in another name", carl.asks(&json!({"sub": "dora"})), "another name"),
        (
            "a token of the thief's own",
            Carl::signed(&thief, &thief, &carl.token_of("thief", &free), &none),
            "another name",
        ),
        (
            "bound in another way",
            Carl::signed(&thief, &thief, &carl.token_of("carl", &json!({"x5t#S256": "a"})), &none),
            "of the claim cnf",
        ),
        (
            "bound to nothing",
            Carl::signed(&thief, &thief, &carl.token_of("carl", &Value::Null), &none),
            "not signed with the key",
        ),
        ("no token", Carl::signed(&thief, &thief, "a.b.c", &none), "no signed token"),
    ];
    for (name, assertion, words) in attacks {
        let refused = carl.answer(&assertion).await.unwrap_err();
        assert!(
            refused.code == RefusalCode::NotProved && refused.message.contains(words),
            "{name}: {refused}"
        );
    }
}

/// Whether a token is taken that anybody could use is the operator's choice, and no is the default.
#[tokio::test]
async fn a_token_for_whoever_holds_it_is_taken_where_the_node_says_so() {
    let mut carl = Carl::new();
    let plain = carl.bench.token("carl");
    let refused = carl.answer(&plain).await.unwrap_err();
    assert!(refused.message.contains("whoever holds it"), "{refused}");
    carl.bench.identity.settings.bearer_tokens = true;
    assert!(carl.answer(&plain).await.is_ok());
    assert!(carl.answer(&carl.token()).await.is_err(), "a bound one is bound everywhere");
}
