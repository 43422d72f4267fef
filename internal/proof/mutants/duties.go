package mutants

import "slices"

// Duties is a fault for each thing that must not be forgotten: each wake-up, release
// and interruption is left out once, each saturation undone, each reservation moved,
// each flag left as it was.
var Duties = slices.Concat(closingDuties, connDuties, readingDuties, writingDuties, partsDuties, statsDuties, groupsDuties)
