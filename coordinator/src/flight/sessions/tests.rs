use super::super::options::Name;
use super::*;

const IDLE: Duration = Duration::from_mins(10);

/// As if it had last been used so long ago.
fn leave_idle(sessions: &Sessions, id: &str, time: Duration) {
    sessions.held().get_mut(id).unwrap().used = Instant::now().checked_sub(time).unwrap();
}

#[test]
fn a_session_lives_while_it_is_used() {
    let sessions = Sessions::new(IDLE);
    let id = sessions.open("ada").unwrap();
    sessions.change(&id, |options| options.set(Name::Purpose, "planning").unwrap()).unwrap();
    for _ in 0..3 {
        leave_idle(&sessions, &id, Duration::from_mins(9));
        sessions.enter(&id, "ada").unwrap();
    }
    assert_eq!(sessions.options(&id).unwrap().purpose.as_deref(), Some("planning"));
    leave_idle(&sessions, &id, IDLE);
    assert_eq!(sessions.enter(&id, "ada").unwrap_err().code(), tonic::Code::Unauthenticated);
    assert!(sessions.options(&id).is_err());
}

#[test]
fn a_session_is_its_openers_alone() {
    let sessions = Sessions::new(IDLE);
    let id = sessions.open("ada").unwrap();
    let (stolen, guessed) =
        (sessions.enter(&id, "eve").unwrap_err(), sessions.enter("00", "eve").unwrap_err());
    assert_eq!(stolen.message(), guessed.message(), "nobody learns that it exists");
    sessions.enter(&id, "ada").unwrap();
    sessions.close(&id);
    assert!(sessions.enter(&id, "ada").is_err());
}

#[test]
fn there_are_so_many_and_no_more() {
    let sessions = Sessions::new(IDLE);
    let kept = sessions.open("ada").unwrap();
    sessions.enter(&kept, "ada").unwrap();
    for _ in 0..3 * MOST {
        sessions.open("ada").unwrap();
    }
    sessions.enter(&kept, "ada").unwrap();
    assert_eq!(sessions.held().len(), MOST);
    let all: Vec<String> = sessions.held().keys().cloned().collect();
    for id in &all {
        sessions.enter(id, "ada").unwrap();
    }
    assert_eq!(sessions.open("ada").unwrap_err().code(), tonic::Code::Unavailable);
    sessions.open("bob").unwrap();
}

#[test]
fn the_cookie_is_found_among_others() {
    let mut headers = MetadataMap::new();
    assert_eq!(cookie(&headers), None);
    headers.append("cookie", "a=1; b=2".parse().unwrap());
    headers.append("cookie", "c=3;  arrow_flight_session_id=\"00ff\"; d=4".parse().unwrap());
    assert_eq!(cookie(&headers).as_deref(), Some("00ff"));
}
