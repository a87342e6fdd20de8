package io.teleworld.worlds;

/**
 * A point light with a soft inverse-square falloff. Immutable.
 *
 * @param radius distance at which the light has fallen to half
 */
record Light(double x, double y, double z, float red, float green, float blue, double radius) {}
