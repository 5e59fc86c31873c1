// Turns the first frame of an interactive figure into all of them: a slider for each thing that varies.
(function () {
  "use strict";
  var pause = 700; // milliseconds between frames while playing
  var calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  function element(tag, parent, properties) {
    return parent.appendChild(Object.assign(document.createElement(tag), properties));
  }

  function start(figure) {
    var data = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    var image = figure.querySelector("img");
    var sources = [image.src].concat(data.frames.map(function (frame) { return "data:image/png;base64," + frame; }));
    figure.querySelectorAll(".genai-frames-note").forEach(function (note) { note.remove(); });
    // All captions lie in one place, so that the figure is as tall as the longest and does not jump.
    var place = data.captions && element("div", figure, { className: "genai-frames-captions" });
    if (place) place.setAttribute("aria-live", "polite");
    var captions = (data.captions || []).map(function (text) { return element("div", place, { textContent: text }); });
    var timer = null, stop = function () {};
    var audio = figure.querySelector("audio");
    if (audio) data.sounds[0].source = audio.src;

    // A clip stops when the reader moves on; the next one waits for its play button.
    function showSound(sound) {
      audio.src = sound.source;
      audio.setAttribute("aria-label", sound.name);
      var words = audio.previousElementSibling;
      words.querySelector("strong").textContent = sound.name;
      words.lastChild.textContent = sound.transcript;
    }

    function update() {
      // The last slider varies fastest, as the last index of an array does.
      var index = rows.reduce(function (sum, row) { return sum * row.labels.length + row.position(); }, 0);
      image.src = sources[index];
      image.alt = data.alts[index];
      if (audio && audio.src !== data.sounds[index].source) showSound(data.sounds[index]);
      captions.forEach(function (caption, k) { caption.classList.toggle("shown", k === index); });
    }

    var rows = data.sliders.map(function (slider) {
      var last = slider.labels.length - 1;
      var row = element("div", figure, { className: "genai-frames-row" });
      var label = element("label", row, {});
      element("span", label, { textContent: slider.name });
      var input = element("input", label, { type: "range", min: 0, max: last, step: 1, value: 0 });
      // A screen reader hears the value from the slider itself.
      var shown = element("output", row, {});
      shown.setAttribute("aria-live", "off");

      function move(position) {
        input.value = position;
        shown.textContent = slider.labels[position];
        input.setAttribute("aria-valuetext", slider.labels[position]);
      }
      input.addEventListener("input", function () { stop(); move(+input.value); update(); });
      move(0);

      if (!calm) {
        var button = element("button", row, { type: "button", textContent: "Play" });
        button.setAttribute("aria-label", "Play " + slider.name);
        var halt = function () {
          clearInterval(timer);
          timer = null;
          stop = function () {};
          button.textContent = "Play";
          button.setAttribute("aria-label", "Play " + slider.name);
          if (place) place.setAttribute("aria-live", "polite");
        };
        button.addEventListener("click", function () {
          var playing = button.textContent === "Pause";
          stop();
          if (playing) return;
          stop = halt;
          if (place) place.setAttribute("aria-live", "off"); // nobody can listen that fast
          button.textContent = "Pause";
          button.setAttribute("aria-label", "Pause " + slider.name);
          if (+input.value === last) { move(0); update(); }
          timer = setInterval(function () {
            if (!figure.isConnected) return stop();
            move(+input.value + 1);
            update();
            if (+input.value === last) stop();
          }, pause);
        });
      }
      return { labels: slider.labels, position: function () { return +input.value; } };
    });
    update();
  }

  document.querySelectorAll(".genai-frames:not([data-started])").forEach(function (figure) {
    figure.setAttribute("data-started", "");
    start(figure);
  });
})();
