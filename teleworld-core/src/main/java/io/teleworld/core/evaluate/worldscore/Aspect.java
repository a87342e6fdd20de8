package io.teleworld.core.evaluate.worldscore;

import java.util.Locale;

/** The ten columns of WorldScore's table. The first seven make its static score, all ten its dynamic one. */
public enum Aspect {
    /** Does the camera go where it is told. */
    CAMERA_CONTROL,
    /** Is there what the prompt names. */
    OBJECT_CONTROL,
    /** Does the scene fit the prompt. */
    CONTENT_ALIGNMENT,
    /** Is one geometry behind all frames. */
    GEOMETRIC_CONSISTENCY,
    /** Do surfaces keep their texture. */
    PHOTOMETRIC_CONSISTENCY,
    /** Does the style stay that of the first picture. */
    STYLE_CONSISTENCY,
    /** Does it look good. */
    SUBJECTIVE_QUALITY,
    /** Does move what should. */
    MOTION_ACCURACY,
    /** Does enough move. */
    MOTION_MAGNITUDE,
    /** Does it move evenly. */
    MOTION_SMOOTHNESS;

    /** The name in the benchmark's files, such as {@code 3d_consistency}. */
    public String key() {
        return this == GEOMETRIC_CONSISTENCY ? "3d_consistency" : name().toLowerCase(Locale.ROOT);
    }

    /** Whether it is part of the static score. */
    public boolean isStatic() {
        return this != MOTION_ACCURACY && this != MOTION_MAGNITUDE && this != MOTION_SMOOTHNESS;
    }
}
