// The customer at the bank: what they answer is sent where this page came from, with the secret that
// the shop's link has.
const said = document.getElementById("said");
const buttons = [...document.querySelectorAll("button")];

async function answer(outcome) {
	buttons.forEach((button) => (button.disabled = true));
	const clientSecret = new URLSearchParams(location.search).get("client_secret") || "";
	try {
		const reply = await fetch(location.pathname, {
			method: "POST",
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify({ outcome, clientSecret }),
		});
		const body = await reply.json();
		if (!reply.ok)
			throw new Error(body.detail || body.title);
		said.textContent = "Thank you. The shop's page goes on by itself; this one may be closed.";
	} catch (error) {
		said.textContent = error.message;
		buttons.forEach((button) => (button.disabled = false));
	}
}

// They come disabled: who is quicker than this script would be heard by nobody.
buttons.forEach((button) => {
	button.addEventListener("click", () => answer(button.id));
	button.disabled = false;
});
