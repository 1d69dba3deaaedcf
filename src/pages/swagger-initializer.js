// Swagger UI's settings. The page's policy allows no script but files of this service.
window.onload = () => {
  // A page that has logged in by `POST /auth/login?mode=cookie` sends back what only pages of this
  // origin can read. A token that was pasted needs nothing.
  const csrf = () => {
    const pairs = document.cookie.split("; ").map((pair) => pair.split("="));
    const found = pairs.find(([name]) => /^(__Host-)?footfall-csrf$/.test(name));
    return found && found[1];
  };
  window.ui = SwaggerUIBundle({
    url: "../openapi.json",
    dom_id: "#swagger-ui",
    layout: "StandaloneLayout",
    deepLinking: true,
    persistAuthorization: true,
    tryItOutEnabled: true,
    validatorUrl: "none",
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    requestInterceptor: (request) => {
      const token = csrf();
      if (token && !request.headers.Authorization && new URL(request.url, location.href).origin === location.origin) {
        request.headers["X-CSRF-Token"] = token;
      }
      return request;
    },
  });
};
