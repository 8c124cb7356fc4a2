//! What a client keeps: nothing leaves before it is stored, and what is stored is never older than what left.

use blindsum_protocol::{
    Client, FileJournal, Journal, JournalError, MemoryJournal, Misuse, Mode, ProtocolError, Refusal,
    message::MaskedInput,
};
use zeroize::Zeroizing;

use crate::cohort::{Cohort, limits};
use crate::{ALL, refusal};

#[test]
fn the_same_request_gets_the_stored_bytes_even_from_a_reopened_client() {
    let mut cohort = Cohort::new(Mode::Curious);
    let request = cohort.setup_request();
    let setups = cohort.setups(&ALL);
    let again = cohort.clients[0].setup(&request, &mut cohort.rng).unwrap();
    assert_eq!(again, setups[0].encode());
    cohort.reopen(0);
    assert_eq!(cohort.clients[0].setup(&request, &mut cohort.rng).unwrap(), again);
    assert_eq!(cohort.clients[0].enrol(3, &mut cohort.rng).unwrap(), cohort.enrolments[0].encode());

    let request = cohort.mask_request(&setups, 0);
    let masked = cohort.mask(0, &request).unwrap();
    // A re-run training must not get a second mask of another vector.
    cohort.vectors[0] = cohort.vectors[1].clone();
    assert_eq!(cohort.mask(0, &request).unwrap(), masked);
    cohort.reopen(0);
    assert_eq!(cohort.mask(0, &request).unwrap(), masked);

    let mut inputs = vec![MaskedInput::decode(&masked, &limits()).unwrap()];
    inputs.extend(cohort.masked(&setups, &ALL[1..]));
    let survivors = cohort.survivors(&setups, &inputs);
    let release = cohort.unmask(0, &survivors).unwrap();
    assert_eq!(cohort.unmask(0, &survivors).unwrap(), release);
    cohort.reopen(0);
    assert_eq!(cohort.unmask(0, &survivors).unwrap(), release);
    assert_eq!(refusal(cohort.mask(0, &request)), Refusal::AlreadyReleased);
}

/// The state of a client is restored from a backup that was made before its masked input left.
#[test]
fn a_client_does_not_start_from_an_old_state() {
    let mut cohort = Cohort::new(Mode::Curious);
    let folder = tempfile::tempdir().unwrap();
    let (state, marker) = (folder.path().join("state"), folder.path().join("marker"));
    let (key, roster, policy) = (cohort.keys[0].clone(), cohort.roster.clone(), *cohort.clients[0].policy());
    let open = || -> Result<Client, ProtocolError> {
        let journal = Box::new(FileJournal::open(&state, &marker)?);
        Client::open(key.clone(), roster.clone(), policy, journal)
    };
    let mut client = open().unwrap();
    let enrolment = client.enrol(3, &mut cohort.rng).unwrap();
    cohort.enrolments[0] = blindsum_protocol::Enrolment::decode(&enrolment, &limits()).unwrap();
    cohort.clients[0] = client;
    let setups = cohort.setups(&ALL);
    let backup = std::fs::read(&state).unwrap();
    let request = cohort.mask_request(&setups, 0);
    let masked = cohort.mask(0, &request).unwrap();
    // A new process goes on where the old one stopped.
    cohort.clients[0] = open().unwrap();
    assert_eq!(cohort.mask(0, &request).unwrap(), masked);
    std::fs::write(&state, backup).unwrap();
    assert!(matches!(open(), Err(ProtocolError::Journal(JournalError::RolledBack { .. }))));
    std::fs::remove_file(&marker).unwrap();
    assert!(matches!(open(), Err(ProtocolError::Journal(JournalError::MarkerMissing))));
}

#[test]
fn a_damaged_state_never_panics() {
    let mut cohort = Cohort::new(Mode::Strict);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let request = cohort.sign_survivors(&cohort.survivors(&setups, &inputs)).encode();
    cohort.clients[0].sign_digest(&request, &mut cohort.rng).unwrap();
    let (policy, good) = (*cohort.clients[0].policy(), cohort.clients[0].state_bytes());
    for i in 0..good.len() {
        let mut bad = good.to_vec();
        bad[i] ^= 1 << (i % 8);
        let journal = Box::new(MemoryJournal::with_state(&bad));
        if let Ok(client) = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal) {
            assert_eq!(*client.state_bytes(), bad, "byte {i}");
        }
    }
}

/// A disk that is full.
struct Full;

impl Journal for Full {
    fn store(&mut self, _: &[u8]) -> Result<(), JournalError> {
        Err(JournalError::Caller { reason: "full".to_owned() })
    }

    fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
        Ok(None)
    }
}

/// The state that was loaded, and a disk that then fails.
struct FullAfter(Zeroizing<Vec<u8>>);

impl Journal for FullAfter {
    fn store(&mut self, state: &[u8]) -> Result<(), JournalError> {
        Full.store(state)
    }

    fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
        Ok(Some(self.0.clone()))
    }
}

#[test]
fn nothing_leaves_before_it_is_stored() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let survivors = cohort.survivors(&setups, &inputs);
    let request = cohort.sign_survivors(&survivors).encode();
    let before = cohort.clients[0].state_bytes();
    let policy = *cohort.clients[0].policy();
    let journal = Box::new(FullAfter(before.clone()));
    let mut client = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal).unwrap();
    let answer = client.unmask(&request, None, &mut cohort.rng);
    assert!(matches!(answer, Err(ProtocolError::Journal(JournalError::Caller { .. }))));
    assert_eq!(client.state_bytes(), before);
    let mut fresh =
        Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, Box::new(Full)).unwrap();
    assert!(matches!(fresh.enrol(3, &mut cohort.rng), Err(ProtocolError::Journal(_))));
}

#[test]
fn a_state_cut_at_any_byte_is_refused_and_holds_no_secret_that_is_spent() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let open = |cohort: &Cohort, state: &[u8]| {
        let policy = *cohort.clients[0].policy();
        let journal = Box::new(MemoryJournal::with_state(state));
        Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal)
    };
    let check = |cohort: &Cohort| {
        let state = cohort.clients[0].state_bytes();
        assert_eq!(open(cohort, &state).unwrap().state_bytes(), state);
        for cut in 0..state.len() {
            let refused = open(cohort, &state[..cut]);
            assert!(matches!(refused, Err(ProtocolError::Misuse(Misuse::BadState { .. }))), "cut at {cut}");
        }
        let longer = [&state[..], &[0]].concat();
        assert!(open(cohort, &longer).is_err());
        state.len()
    };
    check(&cohort);
    let inputs = cohort.masked(&setups, &ALL);
    let masked = check(&cohort);
    let survivors = cohort.survivors(&setups, &inputs);
    cohort.unmask(0, &survivors).unwrap();
    assert!(check(&cohort) < masked);
    assert_eq!(format!("{:?}", cohort.clients[0]).matches("key: SecretKey").count(), 0);
}
