//! What a client sets up with, and with whom.

use blindsum_engine::{curve::Fr, schnorr::SecretKey};
use blindsum_protocol::{
    Client, MemoryJournal, Misuse, Mode, Policy, ProtocolError, Refusal,
    message::{Setup, SetupRequest, ShareKeyEvidence},
};

use crate::cohort::{Cohort, GROUP, config, limits};
use crate::{ALL, refusal};

#[test]
fn setup_refuses_what_the_clients_own_configuration_does_not_allow() {
    let refuse = |change: &dyn Fn(&mut Cohort), adjust: &dyn Fn(&mut Policy)| {
        let mut cohort = Cohort::with_policy(Mode::Chain, adjust);
        change(&mut cohort);
        let request = cohort.setup_request();
        refusal(cohort.clients[0].setup(&request, &mut cohort.rng))
    };
    let keep: &dyn Fn(&mut Cohort) = &|_| ();
    let plain: &dyn Fn(&mut Policy) = &|_| ();
    let curious: &dyn Fn(&mut Cohort) = &|cohort| cohort.parameters.config = config(Mode::Curious, GROUP);
    assert_eq!(refuse(curious, plain), Refusal::Mode { own: Mode::Chain, got: Mode::Curious });
    assert_eq!(refuse(keep, &|policy| policy.min_group = 7), Refusal::SmallGroup { floor: 7, got: 6 });
    assert_eq!(
        refuse(keep, &|policy| policy.min_honest = 5),
        Refusal::PrivacyFloor { floor: 5, guaranteed: 4 }
    );
    assert_eq!(refuse(keep, &|policy| policy.min_corrupt = 2), Refusal::FewCorrupt { floor: 2, got: 1 });
    assert_eq!(refuse(keep, &|policy| policy.chain_id = 5), Refusal::ForeignScope { what: "chain" });
    assert_eq!(refuse(keep, &|policy| policy.contract[0] = 1), Refusal::ForeignScope { what: "contract" });
    assert_eq!(refuse(&|cohort| cohort.parameters.epoch = 4, plain), Refusal::ForeignScope { what: "epoch" });
    let other_root: &dyn Fn(&mut Cohort) = &|cohort| cohort.parameters.roster_root += Fr::from(1u8);
    assert_eq!(refuse(other_root, plain), Refusal::RosterMismatch);
    let other_key: &dyn Fn(&mut Cohort) = &|cohort| cohort.aggregator = SecretKey::generate(&mut cohort.rng);
    assert_eq!(refuse(other_key, plain), Refusal::UnsignedRequest);
    let swapped: &dyn Fn(&mut Cohort) =
        &|cohort| cohort.enrolments[2].share_key = cohort.enrolments[1].share_key;
    assert_eq!(refuse(swapped, plain), Refusal::BadShareKey { slot: 2 });
    let missing: &dyn Fn(&mut Cohort) = &|cohort| cohort.enrolments.truncate(5);
    assert_eq!(refuse(missing, plain), Refusal::NoShareKey { slot: 6 });
}

#[test]
fn without_an_agreed_digest_the_curious_number_is_the_floor_in_force() {
    // n = 6, t = 4, F' = 5, c = 1: 6 - floor(5 * 1 / 3) - 1 = 4.
    let mut cohort = Cohort::with_policy(Mode::Curious, |policy| policy.min_honest = 5);
    let request = cohort.setup_request();
    let refused = refusal(cohort.clients[0].setup(&request, &mut cohort.rng));
    assert_eq!(refused, Refusal::PrivacyFloor { floor: 5, guaranteed: 4 });
}

#[test]
fn a_peer_is_sealed_to_the_newest_key_it_has_signed() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    // Client 0 learns of the others' next keys from their setups; client 1 is shown them.
    cohort.masked(&setups, &ALL[..1]);
    let (round, attempt) = (cohort.parameters.round, cohort.parameters.attempt);
    cohort.parameters.round += 1;
    let numbers = |setup: &Setup| setup.records.iter().map(|record| record.key_number).collect::<Vec<_>>();
    let request = cohort.setup_request();
    let setup = |cohort: &mut Cohort, i: usize, request: &[u8]| {
        Setup::decode(&cohort.clients[i].setup(request, &mut cohort.rng).unwrap(), &limits()).unwrap()
    };
    assert_eq!(numbers(&setup(&mut cohort, 0, &request)), [1; 5]);
    assert_eq!(numbers(&setup(&mut cohort, 2, &request)), [0; 5]);
    let evidence = |setup: &Setup| ShareKeyEvidence::Setup { round, attempt, signed: setup.signed };
    let shown: Vec<_> = setups.iter().map(|setup| (setup.signed.header.slot, evidence(setup))).collect();
    let request =
        SetupRequest::sign(&cohort.aggregator, cohort.parameters.clone(), shown.clone(), &mut cohort.rng);
    assert_eq!(numbers(&setup(&mut cohort, 1, &request.encode())), [1; 5]);
    // A setup of another epoch or round is no evidence.
    let mut wrong = shown;
    wrong[5].1 = ShareKeyEvidence::Setup { round: round + 1, attempt, signed: setups[5].signed };
    let request =
        SetupRequest::sign(&cohort.aggregator, cohort.parameters.clone(), wrong, &mut cohort.rng).encode();
    let refused = refusal(cohort.clients[3].setup(&request, &mut cohort.rng));
    assert_eq!(refused, Refusal::BadShareKey { slot: 6 });
}

#[test]
fn erased_rounds_cannot_be_set_up_again() {
    let mut cohort = Cohort::new(Mode::Curious);
    let first = cohort.parameters.clone();
    for _ in 0..10 {
        cohort.setups(&[0]);
        cohort.parameters.round += 1;
    }
    cohort.parameters = first;
    let request = cohort.setup_request();
    assert_eq!(refusal(cohort.clients[0].setup(&request, &mut cohort.rng)), Refusal::Stale);
}

#[test]
fn a_client_enrols_before_it_sets_up_and_never_in_an_older_epoch() {
    let mut cohort = Cohort::new(Mode::Curious);
    let policy = *cohort.clients[0].policy();
    let journal = Box::new(MemoryJournal::new());
    let mut fresh = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal).unwrap();
    let request = cohort.setup_request();
    let refused = fresh.setup(&request, &mut cohort.rng);
    assert!(matches!(refused, Err(ProtocolError::Misuse(Misuse::NotEnrolled))));
    assert_eq!(refusal(cohort.clients[0].enrol(2, &mut cohort.rng)), Refusal::Stale);
    cohort.setups(&[0]);
    cohort.clients[0].enrol(4, &mut cohort.rng).unwrap();
    assert_eq!(cohort.clients[0].phase(&cohort.parameters.context()), None);
    let stranger = SecretKey::generate(&mut cohort.rng);
    let opened = Client::open(stranger, cohort.roster.clone(), policy, Box::new(MemoryJournal::new()));
    assert!(matches!(opened, Err(ProtocolError::Misuse(Misuse::NotInRoster))));
    let foreign = MemoryJournal::with_state(&cohort.clients[1].state_bytes());
    let opened = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, Box::new(foreign));
    assert!(matches!(opened, Err(ProtocolError::Misuse(Misuse::ForeignState))));
}
