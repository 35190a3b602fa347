//! The cluster of a node: whether its servers can be reached and are fit, and whether it has the rules of the settings.

use wschat::{Settings, inspect_cluster};

use super::finding::Findings;

const SUBJECT: &str = "cluster";

pub(super) fn examine(settings: &Settings, findings: &mut Findings) {
    if settings.cluster.redis.is_none() {
        return;
    }
    match inspect_cluster(settings) {
        Ok(warnings) => warnings.iter().for_each(|warning| findings.concern(SUBJECT, warning)),
        Err(error) => error.lines().iter().for_each(|line| findings.refusal(SUBJECT, line)),
    }
}
