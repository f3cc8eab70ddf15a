//! What holds a server within the rules: profile, certificate, agreements.

use super::{Admin, AgreementsReport, AuditReport, CertificateReport, EndingReport};
use crate::baa::{Register, WARNING_DAYS, today};

impl Admin {
    pub(super) fn certificate_report(&self) -> CertificateReport {
        let facts = self.certificate.facts();
        facts.map_or_else(CertificateReport::default, |facts| CertificateReport {
            fingerprint: facts.fingerprint,
            days_left: facts.days_left,
        })
    }

    pub(super) fn audit_report(&self) -> AuditReport {
        let health = self.app.ledger.health();
        let health = health.borrow();
        AuditReport {
            problem: health.problem.as_ref().map(ToString::to_string),
            entries: health.size,
            refused: health.refused,
            lost: health.lost,
        }
    }

    /// Of the register as it is now, not as it was at the start.
    pub(super) fn agreements_report(&self) -> AgreementsReport {
        let register = match Register::read(&self.config.baa_file()) {
            Ok(register) => register,
            Err(error) => {
                return AgreementsReport {
                    problem: Some(error.to_string()),
                    ..AgreementsReport::default()
                };
            }
        };
        let today = today();
        let ending = register
            .iter()
            .map(|agreement| EndingReport {
                agreement: agreement.agreement.clone(),
                entity: agreement.entity.clone(),
                days_left: agreement.days_left(today),
            })
            .filter(|ending| ending.days_left <= WARNING_DAYS)
            .collect();
        let in_force = register
            .iter()
            .filter(|agreement| agreement.days_left(today) >= 0)
            .count();
        AgreementsReport {
            in_force,
            ending,
            problem: None,
        }
    }
}
