//! Values files and flags, laid over the values of the built-in chart and held against its schema.

use std::sync::LazyLock;

use mizar_core::chart::Chart;
use mizar_core::chart::set::SetFlag;
use mizar_core::chart::values::ValueLayers;

static CHART: LazyLock<Chart> = LazyLock::new(|| {
    let files: [(&str, &[u8]); 5] = [
        ("Chart.yaml", include_bytes!("../../../charts/mizar/Chart.yaml")),
        ("values.yaml", include_bytes!("../../../charts/mizar/values.yaml")),
        ("values-dev.yaml", include_bytes!("../../../charts/mizar/values-dev.yaml")),
        ("values-prod.yaml", include_bytes!("../../../charts/mizar/values-prod.yaml")),
        ("values.schema.json", include_bytes!("../../../charts/mizar/values.schema.json")),
    ];
    Chart::load(files.map(|(path, data)| (path.to_owned(), data.to_vec()))).expect("the built-in chart is one")
});

/// The first part is a file; of the others, those that begin with a digit are flags, and the rest are files.
pub fn values(data: &[u8]) {
    let Some(parts) = crate::parts(data) else { return };
    let mut layers = ValueLayers::new();
    for part in parts.take(8) {
        let flag = match part.as_bytes().first() {
            Some(b'1') => SetFlag::Typed,
            Some(b'2') => SetFlag::Text,
            Some(b'3') => SetFlag::Json,
            Some(b'4') => SetFlag::File,
            _ => match layers.add_file("mine.yaml", part) {
                Ok(()) => continue,
                Err(error) => return crate::check(&error),
            },
        };
        if flag == SetFlag::File {
            if let Err(error) = layers.add_set_file(&part[1..], &mut |path| Ok(path.to_owned())) {
                return crate::check(&error);
            }
        } else {
            layers.add_set(flag, &part[1..]);
        }
    }
    if let Err(error) = layers.add_profile(&CHART, "dev") {
        crate::check(&error);
    }
    if crate::once() {
        return layers.merge(&CHART).map_or_else(|error| crate::check(&error), drop);
    }
    match layers.merge_unchecked(&CHART) {
        // What the layers set can be recorded and comes back as it was.
        Ok(merged) => {
            let text = mizar_core::yaml::write(&merged.config);
            assert!(!text.is_empty());
        }
        Err(error) => return crate::check(&error),
    }
    if let Err(error) = layers.merge(&CHART) {
        crate::check(&error);
    }
}
