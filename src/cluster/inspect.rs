//! What is wrong with a cluster, or will be, for whoever looks at it from outside. It changes nothing but what
//! [`Engine::check`] does.
//!
//! Whoever asks runs it.

use super::present::Present;
use super::redis::{ClusterError, Engine};
use crate::chat::Rules;

/// Looks whether the servers are fit, and whether the cluster has the rules of these settings. Returns warnings, one
/// sentence each, with what to do behind a semicolon.
pub(crate) fn inspect(engine: &Engine, rules: &Rules) -> Result<Vec<String>, ClusterError> {
    let mut warnings = engine.check()?;
    let mut connection = engine.master()?;
    if Present::exists(&mut connection, engine.keys())? {
        let present = Present::read(&mut connection, engine.keys())?;
        warnings.extend(differences(present.replica.chat.rules(), rules));
    }
    Ok(warnings)
}

/// A sentence for each setting in which the cluster's rules are not these.
fn differences(of_cluster: &Rules, of_settings: &Rules) -> Vec<String> {
    let shown = |rules: &Rules| {
        [
            ("rooms", format!("{:?}", rules.rooms)),
            ("limits.maxRooms", rules.max_rooms.to_string()),
            ("limits.maxNameChars", rules.max_name_chars.to_string()),
            ("limits.maxTitleChars", rules.max_title_chars.to_string()),
            ("limits.maxTextChars", rules.max_text_chars.to_string()),
            ("limits.emptyRoomTtlSeconds", rules.empty_room_ttl.as_secs().to_string()),
            ("limits.resumeGraceSeconds", rules.resume_grace.as_secs().to_string()),
            ("limits.reloadGraceSeconds", rules.reload_grace.as_secs().to_string()),
            ("limits.maxAwayUsers", rules.max_away.to_string()),
            ("limits.historyMaxEvents", rules.max_kept.to_string()),
            ("what limits.historyMaxReferenceBytes is for", rules.max_references.to_string()),
        ]
    };
    let pairs = shown(of_cluster).into_iter().zip(shown(of_settings));
    let differing = pairs.filter(|((_, theirs), (_, ours))| theirs != ours);
    differing
        .map(|((key, theirs), (_, ours))| {
            format!(
                "{key} is {ours} in these settings, but {theirs} in the cluster, which counts; `wschat reload` on a node \
                 with these settings changes the cluster, or set it to the same here"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::redis::test_server;
    use super::*;

    #[test]
    fn each_rule_that_differs_is_named_with_both_values() {
        let ours = Rules::sample(&["Lobby"]);
        assert_eq!(differences(&ours, &ours), [""; 0]);
        let theirs = Rules {
            rooms: vec!["Bar".to_owned()],
            max_rooms: 17,
            max_name_chars: 17,
            max_title_chars: 17,
            max_text_chars: 17,
            empty_room_ttl: Duration::from_secs(17),
            resume_grace: Duration::from_secs(17),
            reload_grace: Duration::from_secs(17),
            max_away: 17,
            max_kept: 17,
            max_references: 17,
        };
        let found = differences(&theirs, &ours);
        assert_eq!(found.len(), 11);
        assert!(found[0].starts_with(
            "rooms is [\"Lobby\"] in these settings, but [\"Bar\"] in the cluster, which counts; "
        ));
        assert!(found.iter().skip(1).all(|text| text.contains("but 17 in")), "{found:?}");
    }

    #[test]
    fn a_server_that_is_fit_and_empty_is_well() {
        let Some(server) = test_server::start() else { return };
        let found = inspect(&server.engine(), &Rules::sample(&["Lobby"])).unwrap();
        assert_eq!(found, [""; 0]);
    }
}
