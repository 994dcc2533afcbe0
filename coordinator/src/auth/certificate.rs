//! The name in a client's certificate, which the transport has verified against the authority of analysts.

use jigsaw_proto::identity::is_name;
use jigsaw_proto::tls::dns_names;
use tonic::Status;

/// The one DNS name that a certificate (DER) carries: `ada`, or `ada.analysts.example`.
///
/// # Errors
/// `UNAUTHENTICATED` where there is none, or more than one: which of them asks would be anybody's guess.
pub(super) fn name(certificate: &[u8]) -> Result<String, Status> {
    match dns_names(certificate).as_slice() {
        [name] if is_name(name) && !name.contains('*') => Ok(name.clone()),
        _ => Err(Status::unauthenticated(
            "the client certificate does not carry exactly one DNS name: have one made for your name alone",
        )),
    }
}
