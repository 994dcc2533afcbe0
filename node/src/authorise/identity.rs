//! Who asks, proved to this node by somebody other than the coordinator.
//!
//! A statement is signed by the analyst's own key for one question; its signature, time, audience, purpose, datasets and fragments are
//! checked, and each of its fragments is answered once. The key is pinned here, or is the one that a token of an identity provider is
//! bound to. A token alone proves who signed in and nothing about what is asked: purpose and fragment are the coordinator's word.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use jigsaw_proto::id::DatasetName;
use jigsaw_proto::identity::statement::{STATEMENT, Terms};
use jigsaw_proto::identity::{Bound, Holder, Issuer, Jws, Key, Statement, Unproved, unix_seconds};
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::wire::FragmentRequest;
use sha2::{Digest, Sha256};

/// Most statements that are remembered until they end.
const MOST: usize = 200_000;

/// How analysts are verified, checked and resolved.
#[derive(Debug)]
pub(crate) struct IdentitySettings {
    pub(crate) terms: Terms,
    /// whether statements must name the fragments
    pub(crate) fragments_only: bool,
    /// most uses of a statement that names none
    pub(crate) most_uses: u32,
    /// whether a grant may go by a purpose that is the coordinator's word
    pub(crate) stated_purpose: bool,
    /// whether tokens are taken that are bound to no key
    pub(crate) bearer_tokens: bool,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) analysts: BTreeMap<String, Analyst>,
}

/// An analyst whose key this node knows.
#[derive(Debug)]
pub(crate) struct Analyst {
    pub(crate) key: Key,
    pub(crate) groups: BTreeSet<String>,
}

/// For the operator.
impl fmt::Display for IdentitySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binding = if self.fragments_only { "for each fragment" } else { "for datasets" };
        write!(f, "{} analysts sign {binding}, {} issuers", self.analysts.len(), self.issuers.len())?;
        if self.issuers.is_empty() {
            return Ok(());
        }
        let bearer = if self.bearer_tokens { ", whose tokens are taken from whoever holds them" } else { "" };
        let purpose = if self.stated_purpose { ", purposes as stated" } else { "" };
        write!(f, "{bearer}{purpose}")
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) principal: String,
    pub(crate) groups: BTreeSet<String>,
    /// the purpose that a grant may go by; `None`: it is not proved
    pub(crate) purpose: Option<String>,
    pub(crate) proof: Proof,
}

/// What says so.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// the coordinator
    None,
    /// a token of an issuer; its SHA-256
    Token { issuer: String, digest: String },
    /// the analyst's own key; what it signed
    Statement(Box<Signed>),
}

/// What an analyst signed.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) statement: Statement,
    pub(crate) text: String,
    /// the issuer of the token that the key is bound to; `None`: the key is pinned
    pub(crate) issuer: Option<String>,
}

impl Who {
    /// Whoever the coordinator says.
    pub(crate) fn by_word_of_the_coordinator(request: &FragmentRequest) -> Self {
        Self {
            principal: request.principal.clone(),
            groups: BTreeSet::new(),
            purpose: Some(request.purpose.clone()),
            proof: Proof::None,
        }
    }
}

/// A statement, its signer's groups, and the issuer of the token that it holds.
type Stated = (Statement, BTreeSet<String>, Option<String>);

/// Verifies analysts, and remembers what their statements were used for.
#[derive(Debug)]
pub(crate) struct Identity {
    settings: IdentitySettings,
    /// when this node began to remember
    since: u64,
    used: Mutex<HashMap<(String, String), Used>>,
}

#[derive(Debug)]
struct Used {
    expires: u64,
    fragments: BTreeSet<String>,
    times: u32,
}

impl Identity {
    /// Nothing was used since then (seconds since 1970).
    pub(crate) fn since(settings: IdentitySettings, since: u64) -> Self {
        Self { settings, since, used: Mutex::default() }
    }

    /// Who asks, at the time `now` (seconds since 1970).
    ///
    /// # Errors
    /// `N10` for whatever proves nothing, or proves somebody or something else.
    pub(crate) async fn verify(&self, request: &FragmentRequest, now: u64) -> Result<Who, Refusal> {
        let text = request.assertion.as_str();
        if text.is_empty() {
            return Err(not_proved(
                "this node verifies who asks, and the request came without proof: sign the question (jigsaw --identity), or have your token passed on",
            ));
        }
        let jws = Jws::parse(text).map_err(|problem| unproved(&problem))?;
        let who = if jws.typ() == STATEMENT {
            self.stated(&jws, text, request, now).await?
        } else {
            self.borne(&jws, text, request, now).await?
        };
        if who.principal == request.principal {
            Ok(who)
        } else {
            Err(not_proved("the assertion is not of the principal whom the coordinator names"))
        }
    }

    /// Whoever signed the request.
    async fn stated(
        &self,
        jws: &Jws<'_>,
        text: &str,
        request: &FragmentRequest,
        now: u64,
    ) -> Result<Who, Refusal> {
        let (statement, groups, issuer) = match Statement::token(jws).map_err(|problem| unproved(&problem))? {
            Some(token) => self.with_token(jws, &token, now).await?,
            None => self.with_pinned_key(jws, now).map_err(|problem| unproved(&problem))?,
        };
        self.covers(&statement, request)?;
        Ok(Who {
            principal: statement.principal.clone(),
            groups,
            purpose: Some(statement.purpose.clone()),
            proof: Proof::Statement(Box::new(Signed { statement, text: text.to_owned(), issuer })),
        })
    }

    fn with_pinned_key(&self, jws: &Jws<'_>, now: u64) -> Result<Stated, Unproved> {
        let signer = Statement::signer(jws)?;
        let analyst = self.settings.analysts.get(&signer).ok_or(Unproved::UnknownKey)?;
        let statement = Statement::verify(jws, &analyst.key, &self.settings.terms, now)?;
        Ok((statement, analyst.groups.clone(), None))
    }

    /// What the holder of a token signed, with the key that the token is bound to.
    async fn with_token(&self, jws: &Jws<'_>, token: &str, now: u64) -> Result<Stated, Refusal> {
        let token = Jws::parse(token).map_err(|problem| unproved(&problem))?;
        let (holder, issuer) = self.holder(&token, now).await?;
        let bound = |key: &&Key| holder.bound_to.as_ref() == Some(&key.thumbprint());
        let key = jws.brought().filter(bound);
        let key = key.ok_or_else(|| {
            not_proved("the question is not signed with the key that its token is bound to (cnf.jkt)")
        })?;
        let statement = Statement::verify(jws, key, &self.settings.terms, now);
        let statement = statement.map_err(|problem| unproved(&problem))?;
        if statement.principal != holder.principal {
            return Err(not_proved("the question is signed in another name than the token's"));
        }
        Ok((statement, holder.groups, Some(issuer.url().to_owned())))
    }

    /// Whoever holds a token that is bound to no key.
    async fn borne(
        &self,
        jws: &Jws<'_>,
        text: &str,
        request: &FragmentRequest,
        now: u64,
    ) -> Result<Who, Refusal> {
        let (holder, issuer) = self.holder(jws, now).await?;
        if holder.bound_to.is_some() {
            return Err(not_proved(
                "the token is bound to a key: sign the question with it (jigsaw --identity FILE --assertion-file TOKEN)",
            ));
        }
        if !self.settings.bearer_tokens {
            return Err(not_proved(
                "the token could be used by whoever holds it, and this node takes those that are bound to a key (cnf.jkt), in a question that the key signs: jigsaw --identity FILE --assertion-file TOKEN",
            ));
        }
        let digest =
            Sha256::digest(text).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Ok(Who {
            principal: holder.principal,
            groups: holder.groups,
            purpose: self.settings.stated_purpose.then(|| request.purpose.clone()),
            proof: Proof::Token { issuer: issuer.url().to_owned(), digest },
        })
    }

    /// Whose a token is, and by which issuer's word.
    async fn holder(&self, token: &Jws<'_>, now: u64) -> Result<(Holder, &Issuer), Refusal> {
        let issuer = Issuer::of(token, &self.settings.issuers).map_err(|problem| unproved(&problem))?;
        let holder = issuer.verify(token, now, self.settings.terms.skew).await;
        let holder = holder.map_err(|problem| unproved(&problem))?;
        self.has_one_source(&holder.principal, issuer)?;
        Ok((holder, issuer))
    }

    /// Whether a statement is about this request.
    fn covers(&self, statement: &Statement, request: &FragmentRequest) -> Result<(), Refusal> {
        if statement.issued < self.since {
            return Err(not_proved("the assertion was made before this node was started: ask again"));
        }
        if statement.purpose != request.purpose {
            return Err(not_proved("the assertion was signed for another purpose"));
        }
        if statement.query.as_ref().is_some_and(|query| *query != request.query) {
            return Err(not_proved("the assertion was signed for another question"));
        }
        let named = |name: &&DatasetName| statement.datasets.contains(*name);
        if !request.fragment.input.datasets().iter().all(named) {
            return Err(not_proved("the assertion was signed for other datasets"));
        }
        match &statement.bound {
            Bound::Fragments(fragments) if fragments.contains(&request.fragment.digest()) => Ok(()),
            Bound::Fragments(_) => Err(not_proved("the assertion was signed for other fragments")),
            Bound::Uses(_) if self.settings.fragments_only => Err(not_proved(
                "this node wants assertions that name the fragments they are for: ask with the command jigsaw",
            )),
            Bound::Uses(uses) if *uses > self.settings.most_uses => Err(not_proved(&format!(
                "the assertion allows more uses than this node takes, {}",
                self.settings.most_uses
            ))),
            Bound::Uses(_) => Ok(()),
        }
    }

    /// No issuer speaks for an analyst who signs, or for another issuer's.
    fn has_one_source(&self, principal: &str, issuer: &Issuer) -> Result<(), Refusal> {
        let others = self.settings.issuers.iter().filter(|other| other.url() != issuer.url());
        let mut prefixes = others.map(Issuer::prefix).filter(|prefix| prefix.len() > issuer.prefix().len());
        if self.settings.analysts.contains_key(principal)
            || prefixes.any(|prefix| principal.starts_with(prefix))
        {
            return Err(not_proved("the token is of an issuer that does not speak for this principal"));
        }
        Ok(())
    }

    /// Uses a statement for one request.
    ///
    /// # Errors
    /// `N10` where it was used for it already, or for as much as it allows; `N04` while too many have to be remembered.
    pub(crate) fn take(&self, signed: &Signed, request: &FragmentRequest) -> Result<(), Refusal> {
        let Statement { principal, nonce, expires, bound, .. } = &signed.statement;
        let until = expires.saturating_add(self.settings.terms.skew);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST {
            let now = unix_seconds();
            used.retain(|_, used| used.expires > now);
            if used.len() >= MOST {
                let message = "the node was asked too much in the last minutes: ask again later";
                return Err(Refusal::new(RefusalCode::Busy, message));
            }
        }
        let fresh = || Used { expires: until, fragments: BTreeSet::new(), times: 0 };
        let used = used.entry((principal.clone(), nonce.clone())).or_insert_with(fresh);
        // Two statements of one nonce are one statement, whatever else they say.
        used.expires = used.expires.max(until);
        let first = used.fragments.insert(request.fragment.digest());
        used.times = used.times.saturating_add(1);
        match bound {
            Bound::Fragments(_) if first => Ok(()),
            Bound::Uses(most) if used.times <= *most => Ok(()),
            Bound::Fragments(_) | Bound::Uses(_) => {
                Err(not_proved("the assertion was used already: sign a new one for each question"))
            }
        }
    }
}

fn unproved(problem: &Unproved) -> Refusal {
    not_proved(&format!("the assertion proves nothing to this node: {problem}"))
}

fn not_proved(message: &str) -> Refusal {
    Refusal::new(RefusalCode::NotProved, message)
}

#[cfg(test)]
mod tests;
