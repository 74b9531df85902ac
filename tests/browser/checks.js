// What is wrong with the page that is shown, each as a list that should be empty.
() => {
  const seen = [...document.querySelectorAll("body *")].filter(
    (e) => e.getClientRects().length && !["SCRIPT", "STYLE", "OPTION"].includes(e.tagName));
  // Contrast of text by WCAG 2.1, 1.4.3.
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map(Number).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\)$/.test(colour) && colour !== "transparent") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (e) => {
    const both = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return (both[0] + 0.05) / (both[1] + 0.05);
  };
  const texts = seen.filter((e) => e.children.length === 0 && e.textContent.trim());
  const wanted = "button, a, input:not([type=hidden]), select, svg[role=img], [role=region]";
  const named = (e) => e.getAttribute("aria-label") || e.textContent.trim()
    || [...(e.labels ?? [])].some((label) => label.textContent.trim());
  return {
    faint: texts.filter((e) => contrast(e) < 4.5).map((e) => e.textContent.trim().slice(0, 40)),
    nameless: [...document.querySelectorAll(wanted)].filter((e) => !named(e)).map((e) => e.outerHTML),
    too_wide: document.documentElement.scrollWidth > innerWidth ? [innerWidth] : [],
    without_scope: [...document.querySelectorAll("th:not([scope])")].map((e) => e.textContent),
  };
}
