//! HTTPS as somebody meets it who has the console before him: the fingerprint there is the one of the certificate.

use std::process::Command;

use super::calm;
use crate::lab::SOON;

#[test]
fn the_fingerprint_on_the_console_is_the_certificates_and_the_port_speaks_both() {
    calm(|calm| {
        let line = calm.vm.wait_console("certificate: SHA-256 ", SOON).unwrap();
        let told = line.rsplit("SHA-256 ").next().unwrap().trim().to_owned();
        assert_eq!(told.len(), 95, "{line}");
        let address = calm.vm.address();
        // openssl fetches and hashes the certificate in its own way.
        let script = format!(
            "openssl s_client -connect {address} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
        );
        let out = Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            text.trim().ends_with(&told),
            "the console tells {told}, the certificate has {text}"
        );
        let health = |url: String| {
            let out = Command::new("curl")
                .args([
                    "--silent",
                    "--insecure",
                    "--max-time",
                    "60",
                    "--write-out",
                    "%{http_code}",
                    "--output",
                    "/dev/null",
                ])
                .arg(url)
                .output()
                .unwrap();
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        assert_eq!(health(format!("https://{address}/health")), "200");
        assert_eq!(health(format!("http://{address}/health")), "200");
    });
}
