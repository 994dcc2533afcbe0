//! A certificate for trying things out: made at the first start, signed by itself, kept beside the configuration.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{Datelike, Days, Utc};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use sha2::{Digest, Sha256};

/// How long it is good, in days.
const DAYS: u64 = 365;

/// A certificate with its key, both PEM, and the fingerprint of the certificate.
pub(super) struct Made {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) fingerprint: String,
}

/// The development certificate in `folder`, for this machine and the address `listen`.
///
/// # Errors
/// Files that cannot be read or written; one of the two without the other.
pub(super) fn certificate(folder: &Path, listen: IpAddr) -> Result<Made, String> {
    let folder = folder.join("development");
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("certificate.key"));
    let unusable = |path: &Path, error: &dyn std::fmt::Display| {
        format!("the development certificate {}: {error}", path.display())
    };
    if !certificate.exists() && !key.exists() {
        let (pem, private) = make(listen).map_err(|error| unusable(&certificate, &error))?;
        fs::create_dir_all(&folder).map_err(|error| unusable(&folder, &error))?;
        write(&key, &private, 0o600).map_err(|error| unusable(&key, &error))?;
        write(&certificate, &pem, 0o644).map_err(|error| unusable(&certificate, &error))?;
    }
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| unusable(path, &error));
    let (certificate_pem, key) = (read(&certificate)?, read(&key)?);
    let fingerprint = fingerprint(&certificate_pem).ok_or_else(|| unusable(&certificate, &"it is no PEM"))?;
    Ok(Made { certificate: certificate_pem, key, fingerprint })
}

fn make(listen: IpAddr) -> Result<(String, String), rcgen::Error> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Jigsaw development");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let today = Utc::now().date_naive();
    let last = today.checked_add_days(Days::new(DAYS)).unwrap_or(today);
    let moment = |day: chrono::NaiveDate| {
        // Months and days of a calendar fit.
        let part = |number: u32| u8::try_from(number).unwrap_or(1);
        date_time_ymd(day.year(), part(day.month()), part(day.day()))
    };
    (params.not_before, params.not_after) = (moment(today), moment(last));
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// SHA-256 of the certificate, as browsers and `openssl x509 -fingerprint -sha256` show it.
fn fingerprint(pem: &str) -> Option<String> {
    use base64::Engine as _;
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
    let bytes: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    Some(bytes.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let listen = IpAddr::from([192, 168, 1, 7]);
        let made = certificate(dir.path(), listen).unwrap();
        let again = certificate(dir.path(), listen).unwrap();
        assert_eq!((made.certificate, &made.fingerprint), (again.certificate, &again.fingerprint));
        assert_eq!(made.fingerprint.len(), 32 * 3 - 1);
        // What `printf Jigsaw | sha256sum` says, in the form that browsers and openssl show.
        let pem = "-----BEGIN CERTIFICATE-----\nSmlnc2F3\n-----END CERTIFICATE-----\n";
        assert_eq!(
            fingerprint(pem).unwrap().replace(':', ""),
            "2197E79AC6D8C75A21F06680893CF61AC85F9087D89995C994538A9026CFDF33"
        );
        let bits = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(dir.path().join("development/certificate.key")).unwrap().permissions(),
        );
        assert_eq!(bits & 0o077, 0, "the key is the service's alone");
        fs::remove_file(dir.path().join("development/certificate.key")).unwrap();
        assert!(certificate(dir.path(), listen).is_err(), "half of it is not quietly replaced");
    }
}
