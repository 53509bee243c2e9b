//! The faults that are planted to try the checks of chaos. Whether each is seen takes minutes (`cargo xtask chaos --plant
//! all`); whether each can be planted is looked at here.

use xtask::plant::read;
use xtask::project;

#[test]
fn every_plant_applies_to_the_sources_as_they_are() {
    let plants = read::all(&project::root()).unwrap();
    for plant in &plants {
        let edited = plant.edited(&project::root());
        let edited = edited.unwrap_or_else(|error| panic!("{}: {error:#}", plant.name));
        assert!(!edited.is_empty(), "{}", plant.name);
    }
    assert!(plants.len() > 10, "only {} plants", plants.len());
}

#[test]
fn every_check_of_chaos_has_a_plant_and_every_plant_a_check() {
    let plants = read::all(&project::root()).unwrap();
    let checks = read::checks(&project::root()).unwrap();
    assert!(checks.len() > 10, "only {checks:?}");
    for check in &checks {
        let tried = plants.iter().any(|plant| plant.check == *check);
        assert!(tried, "no plant in chaos/plants/ tries the check {check:?}");
    }
    for plant in &plants {
        assert!(
            checks.contains(&plant.check),
            "{}: chaos has no check {:?}",
            plant.name,
            plant.check
        );
    }
}
