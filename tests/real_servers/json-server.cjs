// Serves the articles with json-server, without change or with a bug: `node json-server.cjs FILE BUG`. Prints its port.
const jsonServer = require("json-server");

const [file, bug] = process.argv.slice(2);
const server = jsonServer.create();
server.use((request, response, next) => {
  if (bug === "descending is ignored") request.query._order = "asc";
  if (bug === "bound is ignored") delete request.query.words_gte;
  if (bug === "total of the page") {
    const setHeader = response.setHeader;
    response.setHeader = (name, value) => setHeader.call(response, name, name === "X-Total-Count" ? "10" : value);
  }
  next();
});
server.use(jsonServer.defaults({ logger: false }));
server.use(jsonServer.router(file));
const listener = server.listen(0, "127.0.0.1", () => console.log(listener.address().port));
