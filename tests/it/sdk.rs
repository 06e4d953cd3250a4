//! The rules for the AWS SDK, each held against its real behaviour.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use aws_mfa_exporter::aws::Clients;
use aws_sim::{Account, Fault, Root, Scenario, Sim};

use crate::support::{Exporter, ID, KEY, healthy, sim};

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn loader(sim: &Sim) -> aws_config::ConfigLoader {
    let loader = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12()).region("us-east-1");
    loader.endpoint_url(sim.endpoint()).test_credentials()
}

/// An operation without an override sends nothing, although the environment
/// would have had credentials for it.
#[test]
fn a_forgotten_override_fails_closed() {
    let sim = sim(healthy());
    let (iam, sts) = wait(async {
        let clients = Clients::of(loader(&sim)).await;
        (
            clients.iam.get_account_summary().send().await.is_err(),
            clients.sts.get_caller_identity().send().await.is_err(),
        )
    });
    assert!(iam && sts);
    assert_eq!(sim.seen().len(), 0, "nothing left the machine");
}

/// Two accounts with opposite truths: what the override names is what answers.
#[test]
fn the_override_decides_whose_account_answers() {
    const MEMBER: &str = "222222222222";
    let member = Account { id: MEMBER.into(), root: Root { password: true, ..Root::default() }, ..Account::default() };
    let credentials = BTreeMap::from([(KEY.into(), ID.into()), ("AKIAMEMBER".into(), MEMBER.into())]);
    let sim = Sim::start(Scenario { accounts: vec![healthy(), member], credentials, ..Scenario::default() }).unwrap();
    let enabled = |key: &'static str| {
        wait(async {
            let clients = Clients::of(loader(&sim)).await;
            let credentials = aws_credential_types::Credentials::new(key, "x", None, None, "test");
            let only = aws_sdk_iam::Config::builder().credentials_provider(credentials);
            let reply = clients.iam.get_account_summary().customize().config_override(only).send().await.unwrap();
            reply.summary_map().unwrap()[&aws_sdk_iam::types::SummaryKeyType::AccountMfaEnabled]
        })
    };
    assert_eq!([enabled(KEY), enabled("AKIAMEMBER")], [1, 0]);
}

/// The SDK's standard retries would send a throttled request three times.
#[test]
fn the_sdk_itself_sends_once() {
    let sim = sim(healthy());
    sim.fault(ID, None, Fault::Throttled);
    wait(async {
        let clients = Clients::of(loader(&sim)).await;
        let credentials = aws_credential_types::Credentials::new(KEY, "x", None, None, "test");
        let only = aws_sdk_iam::Config::builder().credentials_provider(credentials);
        assert!(clients.iam.get_account_summary().customize().config_override(only).send().await.is_err());
    });
    assert_eq!(sim.seen().len(), 1);
}

/// Read timeout and attempt timeout: no reply, and a reply that never ends. Each
/// of three tries is cut off, and the run is over long before its deadline.
#[test]
fn a_reply_that_does_not_come_or_does_not_end_is_cut_off() {
    thread::scope(|scope| {
        for (fault, longest) in [(Fault::Hang, 22), (Fault::Drip, 28)] {
            scope.spawn(move || {
                let sim = sim(healthy());
                sim.fault(ID, Some("GetAccountSummary"), fault.clone());
                let began = Instant::now();
                let exporter = Exporter::start(&sim.endpoint(), &["--no-collector.devices"]);
                exporter.wait_for("timeout", Duration::from_secs(40), |samples| samples.fault("root") == "timeout");
                assert!(began.elapsed() < Duration::from_secs(longest), "{fault:?}: {:?}", began.elapsed());
            });
        }
    });
}

/// Connect timeout: an address that takes no connection and refuses none.
#[test]
fn a_connection_that_is_not_made_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
        assert!(queue.len() < 10_000, "the queue of the listener fills up");
    }
    let exporter = Exporter::start(&format!("http://{address}"), &["--no-collector.devices"]);
    exporter.wait_for("timeout", Duration::from_secs(20), |samples| samples.fault("root") == "timeout");
}
