//! The simulation as a program, so that it can be stopped, frozen and watched
//! like any other: `aws-sim ADDRESS SCENARIO.yaml` prints its endpoint and runs.

use std::{env, error::Error, fs, thread};

use aws_sim::{Scenario, Sim};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: aws-sim ADDRESS SCENARIO.yaml".into());
    };
    let scenario: Scenario = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
    let sim = Sim::start_on(&address, scenario)?;
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    {
        println!("{}", sim.endpoint());
    }
    loop {
        thread::park();
    }
}
