// A point for each image, on its way from one place to another.

export const VERTEX = `#version 300 es
in vec2 from;
in vec2 to;
in uint code;
in uint state; // 1: does not match the filter
uniform vec2 middle;
uniform vec2 unit; // of the map, in clip space
uniform float part; // of the way
uniform float size; // in pixels
uniform float faint; // alpha of all that is not selected
uniform bool chosen; // these are the selected ones
uniform sampler2D palette;
flat out vec4 colour;
flat out float radius;

void main() {
  vec4 own = texelFetch(palette, ivec2(int(code) % 256, int(code) / 256), 0);
  bool out_of_filter = (state & 1u) != 0u;
  float alpha = chosen ? 1.0 : own.a * faint * (out_of_filter ? 0.12 : 1.0);
  colour = vec4(own.rgb * alpha, alpha);
  radius = (chosen ? size * 1.35 + 1.0 : out_of_filter ? size * 0.7 : size) / 2.0;
  gl_PointSize = 2.0 * radius + 1.0;
  gl_Position = vec4((mix(from, to, part) - middle) * unit, 0.0, 1.0);
}`;

export const FRAGMENT = `#version 300 es
precision mediump float;
flat in vec4 colour;
flat in float radius;
out vec4 shown;

void main() {
  float away = length(gl_PointCoord - 0.5) * (2.0 * radius + 1.0);
  shown = colour * clamp(radius + 0.5 - away, 0.0, 1.0);
}`;
