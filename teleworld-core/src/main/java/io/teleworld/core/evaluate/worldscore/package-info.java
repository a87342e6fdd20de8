/**
 * The arithmetic of the WorldScore benchmark (Duan et al. 2025, arXiv 2504.00983): camera paths, the parts of the metrics that need
 * no network, normalisation and the final table. Scores of other networks than the benchmark's must not be listed beside its own.
 */
@NullMarked
package io.teleworld.core.evaluate.worldscore;

import org.jspecify.annotations.NullMarked;
