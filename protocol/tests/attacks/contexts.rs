//! Clients who were told different things: their contexts differ, and their masks do not cancel.

use std::collections::HashSet;

use blindsum_engine::{
    backend::Backend,
    cpu::Cpu,
    mask::{MaskKey, SignedMask},
    roster::RoundContext,
};
use blindsum_protocol::{
    CohortConfig, Dp, Fault, GroupConfig, Limits, Misuse, Mode, ModelDigest, ProtocolError, Refusal,
    RoundParameters, SetupParameters, keys,
    message::{MaskRequest, SetupRequest},
};

use crate::support::Shape;

/// The contexts of a base case and of every single change to it.
fn contexts() -> Vec<(&'static str, RoundContext)> {
    let cohort = Shape::one_group(8, Mode::Chain).build();
    let (setup, round, model) = (cohort.parameters, cohort.round, cohort.model);
    let root = [4u8; 32];
    let mut all = vec![("base", round.context(&setup.context(), &model, &root))];
    let config = |mode, group| {
        CohortConfig::uniform(setup.config.size(), 16, mode, setup.config.occupied(), group).unwrap()
    };
    let GroupConfig { threshold, floor, corrupt } = setup.config.group_configs()[0];
    let base = GroupConfig { threshold, floor, corrupt };
    let setups = [
        (
            "t",
            SetupParameters {
                config: config(Mode::Chain, GroupConfig { threshold: threshold + 1, ..base }),
                ..setup.clone()
            },
        ),
        (
            "F",
            SetupParameters {
                config: config(Mode::Chain, GroupConfig { floor: floor + 1, ..base }),
                ..setup.clone()
            },
        ),
        (
            "c",
            SetupParameters {
                config: config(Mode::Chain, GroupConfig { corrupt: 0, ..base }),
                ..setup.clone()
            },
        ),
        ("mode", SetupParameters { config: config(Mode::Strict, base), ..setup.clone() }),
        ("chain", SetupParameters { chain_id: 1, ..setup.clone() }),
        ("contract", SetupParameters { contract: [9; 20], ..setup.clone() }),
        ("epoch", SetupParameters { epoch: 2, ..setup.clone() }),
        ("round", SetupParameters { round: 8, ..setup.clone() }),
        ("attempt", SetupParameters { attempt: 1, ..setup.clone() }),
        ("cohort", SetupParameters { cohort: 1, ..setup.clone() }),
    ];
    for (name, parameters) in setups {
        all.push((name, round.context(&parameters.context(), &model, &root)));
    }
    let rounds = [
        ("b", RoundParameters { bits: 15, ..round.clone() }),
        ("clip", RoundParameters { clip: 1.5, ..round.clone() }),
        ("w_min", RoundParameters { w_min: 2, ..round.clone() }),
        ("w_max", RoundParameters { w_max: 101, ..round.clone() }),
        ("d", RoundParameters { dimension: 41, ..round.clone() }),
        ("bases", RoundParameters { bases: 2, ..round.clone() }),
        ("DP", RoundParameters { dp: Dp { kind: 1, parameter: 0.5, bound: 3 }, ..round.clone() }),
        ("payee", RoundParameters { payee: [1; 20], ..round.clone() }),
        (
            "deadlines",
            RoundParameters {
                deadlines: blindsum_protocol::Deadlines { masked_input: 1, release: 0, certificate: 0 },
                ..round.clone()
            },
        ),
    ];
    for (name, parameters) in rounds {
        all.push((name, parameters.context(&setup.context(), &model, &root)));
    }
    all.push(("model", round.context(&setup.context(), &ModelDigest([2; 32]), &root)));
    all.push(("setups", round.context(&setup.context(), &model, &[5; 32])));
    all
}

#[test]
fn every_parameter_is_in_the_context() {
    let all = contexts();
    let distinct: HashSet<_> = all.iter().map(|(_, context)| *context).collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn masks_of_clients_who_were_told_different_things_do_not_cancel() {
    let cohort = Shape::one_group(4, Mode::Curious).build();
    let mut rng = cohort.rng;
    let (one, other) = (keys::x25519_generate(&mut rng), keys::x25519_generate(&mut rng));
    let shared = keys::agree(&one, &keys::x25519_public(&other)).unwrap();
    let all = contexts();
    let (_, base) = all[0];
    let key = |context: &RoundContext| MaskKey::new(*keys::pair_mask_key(&shared, context, 0, 1));
    for (name, context) in &all {
        let mut words = vec![0u32; 64];
        let masks = [SignedMask::add(key(&base)), SignedMask::subtract(key(context))];
        Cpu.mask_expand(&masks, 0, &mut words).unwrap();
        let cancels = words.iter().all(|word| *word == 0);
        assert_eq!(cancels, *name == "base", "{name}");
        let blindings = keys::pair_blinding_mask(&shared, &base, 0, 1)
            == keys::pair_blinding_mask(&shared, context, 0, 1);
        assert_eq!(blindings, *name == "base", "{name}");
    }
}

/// A client compares the round with its own view, and answers nothing else.
#[test]
fn a_client_trains_on_its_own_model_and_parameters() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let request = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    let model = cohort.model;
    cohort.model = ModelDigest([0xee; 32]);
    assert!(matches!(cohort.try_mask(0, &request), Err(ProtocolError::Refused(Refusal::OtherModel))));
    cohort.model = model;
    cohort.round.clip = 2.0;
    assert!(matches!(
        cohort.try_mask(0, &request),
        Err(ProtocolError::Refused(Refusal::OtherParameter { .. }))
    ));
    cohort.round.clip = crate::support::CLIP;
    assert!(cohort.try_mask(0, &request).is_ok());
}

/// Pasquini et al.: a crafted model for one client. Its masked input is of another round.
#[test]
fn a_client_with_another_model_is_refused_by_context() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let bytes = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    let honest = MaskRequest::decode(&bytes, &Limits::new(cohort.roster.size(), 64)).unwrap();
    let crafted = ModelDigest([0xee; 32]);
    let lie = MaskRequest::sign(
        &cohort.aggregator_key,
        honest.setup_context,
        crafted,
        honest.parameters,
        honest.setup_hashes,
        honest.peers,
        &mut cohort.rng,
    );
    let model = std::mem::replace(&mut cohort.model, crafted);
    let message = cohort.try_mask(0, &lie.encode()).unwrap();
    cohort.model = model;
    assert!(matches!(
        cohort.aggregator.absorb(&message),
        Err(ProtocolError::BadContribution { slot: 0, reason: Fault::WrongContext { .. } })
    ));
}

/// Threshold, floor and mode come from the client's policy and its own arithmetic.
#[test]
fn parameters_below_the_clients_floor_are_refused() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let bytes = cohort.aggregator.setup_request(0, &cohort.share_keys, &mut cohort.rng).unwrap();
    let honest = SetupRequest::decode(&bytes, &Limits::new(cohort.roster.size(), 0)).unwrap();
    let mut ask = |change: &dyn Fn(&mut SetupParameters)| {
        let mut parameters = honest.parameters.clone();
        change(&mut parameters);
        let request = SetupRequest::sign(
            &cohort.aggregator_key,
            parameters,
            honest.share_keys.clone(),
            &mut cohort.rng,
        );
        let member = cohort.members.get_mut(&0).unwrap();
        match member.client.setup(&request.encode(), &mut cohort.rng) {
            Err(ProtocolError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(ask(&|p| p.epoch = 9), Refusal::ForeignScope { what: "epoch" }));
    assert!(matches!(ask(&|p| p.chain_id = 5), Refusal::ForeignScope { what: "chain" }));
    assert!(matches!(
        ask(&|p| {
            let config = &p.config;
            let groups = config.group_configs().to_vec();
            p.config =
                CohortConfig::new(config.size(), config.width(), Mode::Strict, config.occupied(), groups)
                    .unwrap();
        }),
        Refusal::Mode { own: Mode::Curious, got: Mode::Strict }
    ));
    assert!(matches!(
        ask(&|p| p.roster_root += blindsum_engine::curve::Fr::from(1u8)),
        Refusal::RosterMismatch
    ));
    // A threshold of one share, or one that double-collects, does not even make a configuration.
    for threshold in [1, 2, 3] {
        let group = GroupConfig { threshold, floor: 5, corrupt: 1 };
        let config = &honest.parameters.config;
        assert!(CohortConfig::uniform(config.size(), 16, Mode::Curious, config.occupied(), group).is_err());
    }
}

#[test]
fn a_session_refuses_what_is_not_its_own() {
    let cohort = Shape::one_group(6, Mode::Chain).build();
    let other = Shape { seed: 99, ..Shape::one_group(6, Mode::Chain) }.build();
    assert!(matches!(
        blindsum_protocol::Aggregator::new(
            cohort.parameters.clone(),
            other.roster.clone(),
            cohort.aggregator_key.clone()
        ),
        Err(ProtocolError::Misuse(Misuse::RosterMismatch))
    ));
    let mut cohort = cohort;
    cohort.collect_setups(&[]);
    assert!(matches!(
        cohort.aggregator.close_setup(cohort.model, other.round.clone()),
        Err(ProtocolError::Misuse(Misuse::ForeignAggregator))
    ));
    let wide = RoundParameters { bits: 31, ..cohort.round.clone() };
    assert!(matches!(cohort.aggregator.close_setup(cohort.model, wide), Err(ProtocolError::Config(_))));
    cohort.close_setup();
    cohort.run_masks(&[]);
    cohort.aggregator.close_posting(&mut cohort.rng).unwrap();
    assert!(matches!(
        cohort.aggregator.confirm_posted(&[1; 32]),
        Err(ProtocolError::Misuse(Misuse::ForeignDigest))
    ));
    assert!(cohort.aggregator.unmask_request(0, &mut cohort.rng).is_err());
}
