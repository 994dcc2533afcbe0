//! The one way to accept or open a channel between a coordinator and its nodes: TLS with certificates on both sides.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig};
use webpki::EndEntityCert;

/// Largest message either side decodes, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// PEM texts of one party: its own certificate and key, and the authority it trusts.
#[derive(Clone)]
pub struct TlsMaterial {
    /// certificate chain, PEM
    pub certificate: String,
    /// private key, PEM
    pub key: String,
    /// authority that must have signed the peer's certificate, PEM
    pub authority: String,
}

/// Mute: a private key never reaches a log.
impl std::fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsMaterial")
    }
}

impl TlsMaterial {
    /// What a node's server needs: its identity, and clients that the authority signed.
    pub fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(&self.certificate, &self.key))
            .client_ca_root(Certificate::from_pem(&self.authority))
    }

    /// A lazy channel endpoint to a node that must present `identity` as a DNS name of its certificate.
    ///
    /// # Errors
    /// An address that is no `https://` URI, or TLS material that cannot be used.
    pub fn endpoint(&self, address: &str, identity: &str) -> Result<Endpoint, tonic::transport::Error> {
        let tls = ClientTlsConfig::new()
            .identity(Identity::from_pem(&self.certificate, &self.key))
            .ca_certificate(Certificate::from_pem(&self.authority))
            .domain_name(identity);
        Ok(Endpoint::from_shared(address.to_owned())?
            .tls_config(tls)?
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5))
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true))
    }
}

/// Whether a peer's certificate (DER, already verified against the authority) carries `identity` as a DNS name.
pub fn certificate_has_identity(certificate: &[u8], identity: &str) -> bool {
    let Ok(name) = ServerName::try_from(identity) else { return false };
    let der = CertificateDer::from(certificate);
    EndEntityCert::try_from(&der)
        .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

/// The DNS names that a peer's certificate (DER, already verified against the authority) carries.
pub fn dns_names(certificate: &[u8]) -> Vec<String> {
    let der = CertificateDer::from(certificate);
    let certificate = EndEntityCert::try_from(&der);
    certificate.map(|known| known.valid_dns_names().map(str::to_owned).collect()).unwrap_or_default()
}
