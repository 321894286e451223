"use strict";

// A list of frames becomes one picture with a slider; without this script it stays a list.
for (const film of document.querySelectorAll(".film")) {
  const frames = [...film.querySelectorAll(".frames > li")];
  if (frames.length < 2) continue;
  const slider = film.querySelector("input");
  const output = film.querySelector("output");
  const play = film.querySelector(".play");
  // With reduced motion, the same pictures are shown slowly.
  const pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1500 : 180;
  let timer = 0;

  const show = () => {
    frames.forEach((frame, i) => { frame.hidden = i !== Number(slider.value); });
    const step = frames[slider.value].querySelector(".step").textContent;
    output.textContent = step.replace("step ", "");
    slider.setAttribute("aria-valuetext", step);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  };
  const next = () => {
    slider.value = Number(slider.value) + 1;
    show();
    if (slider.value === slider.max) stop();
  };
  slider.addEventListener("input", () => { stop(); show(); });
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    timer = setInterval(next, pause);
    play.textContent = "Pause";
  });
  slider.value = 0;
  film.classList.add("live");
  film.querySelector(".controls").hidden = false;
  show();
}

for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.firstChild.textContent = "Copied";
    setTimeout(() => { button.firstChild.textContent = "Copy"; }, 2000);
  });
}
